-- forget_round: drop the bets of a round of a suspended wallet. What they are is asked of SQL.
--
-- KEYS     head round
-- ARGV     epoch
-- RETURNS  OK | FENCED epoch
-- WRITES   round
-- EXAMPLE  a round, epoch 1 → OK
local head_key, round_key = unpack(KEYS)
local epoch = unpack(ARGV, 1, 1)

local head_epoch = redis.call('HGET', head_key, 'epoch')
if head_epoch ~= epoch then
  return {'FENCED', head_epoch or ''}
end
redis.call('UNLINK', round_key)
return {'OK'}
