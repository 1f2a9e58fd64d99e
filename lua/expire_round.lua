-- expire_round: a round with open bets, which would stay for ever, goes unless something is written to it again. One
-- that is going to expire is left alone. What comes for it later is looked up.
--
-- KEYS     head round
-- ARGV     epoch nonce idle_ms
-- RETURNS  OK | KEPT | FENCED epoch
-- WRITES   round
-- EXAMPLE  a round with an open bet, idle_ms 7200000 → OK
local head_key, round_key = unpack(KEYS)
local epoch, nonce, idle_ms = unpack(ARGV, 1, 3)

local head_epoch, head_nonce = unpack(redis.call('HMGET', head_key, 'epoch', 'nonce'))
if head_epoch ~= epoch or head_nonce ~= nonce then
  return {'FENCED', head_epoch or ''}
end
if redis.call('PEXPIRE', round_key, idle_ms, 'NX') == 0 then
  return {'KEPT'}
end
return {'OK'}
