-- round: the bets that a batch had an effect on, written after its entry. With an open bet the round stays, until the
-- writer's next look at what is idle (`expire_round`).
--
-- NEEDS    round_key stored open_bets opened written window
if #written > 0 then
  redis.call('HSET', round_key, '', open_bets + opened, unpack(written))
  if open_bets + opened <= 0 then
    redis.call('PEXPIRE', round_key, window)
  elseif stored[1] then -- it may have been going to expire
    redis.call('PERSIST', round_key)
  end
end
