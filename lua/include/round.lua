-- round: the bets that a batch had an effect on, written after its entry. With an open bet the round never expires.
--
-- NEEDS    round_key stored open_bets opened written window
if #written > 0 then
  redis.call('HSET', round_key, '', open_bets + opened, unpack(written))
  if open_bets + opened <= 0 then
    redis.call('PEXPIRE', round_key, window)
  elseif stored[1] and open_bets <= 0 then -- it was going to expire
    redis.call('PERSIST', round_key)
  end
end
