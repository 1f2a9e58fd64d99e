-- forget_round: drop the bets of a round of a suspended wallet. What they are is asked of SQL.
--
-- KEYS     head round
-- ARGV     epoch nonce
-- RETURNS  OK | FENCED epoch
-- WRITES   round
-- EXAMPLE  a round, epoch 1 → OK
local head_key, round_key = unpack(KEYS)
local epoch, nonce = unpack(ARGV, 1, 2)

local head_epoch, head_nonce = unpack(redis.call('HMGET', head_key, 'epoch', 'nonce'))
if head_epoch ~= epoch or head_nonce ~= nonce then
  return {'FENCED', head_epoch or ''}
end
redis.call('UNLINK', round_key)
return {'OK'}
