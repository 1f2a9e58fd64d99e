-- forget_round: drop the bets of a round of a suspended wallet, or of one that has gone. What they are is asked of SQL.
-- A wallet that was loaded since keeps its rounds: what it has decided in them meanwhile is nowhere else yet.
--
-- KEYS     head wallet round
-- ARGV     epoch nonce
-- RETURNS  OK | FENCED epoch
-- WRITES   round
-- EXAMPLE  a round of a suspended wallet, epoch 1 → OK
local head_key, wallet_key, round_key = unpack(KEYS)
local epoch, nonce = unpack(ARGV, 1, 2)

local head_epoch, head_nonce = unpack(redis.call('HMGET', head_key, 'epoch', 'nonce'))
if head_epoch ~= epoch or head_nonce ~= nonce then
  return {'FENCED', head_epoch or ''}
end
local last_seq, suspended = unpack(redis.call('HMGET', wallet_key, 'seq', 'suspended'))
if last_seq and not suspended then
  return {'OK'} -- it has been evicted before, and its rounds with it
end
redis.call('UNLINK', round_key)
return {'OK'}
