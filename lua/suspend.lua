-- suspend: take a wallet out of use, because SQL refused an entry of it. Nothing is decided for it any more, and no
-- load may bring it back, until `evict`. What stands in its place says which rounds have to go with it, so that
-- another writer can carry on, and whether it stays away for long (`frozen`, 0 or 1). A provider that used an id again
-- is cold for a while: SQL is asked first.
--
-- KEYS     head wallet
-- ARGV     epoch nonce cold_provider rounds frozen
-- RETURNS  OK seq | FENCED epoch
-- WRITES   head wallet
-- EXAMPLE  epoch 3, last seq 12, no provider → OK 12, wallet suspended = 12
local head_key, wallet_key = unpack(KEYS)
local epoch, nonce, cold_provider, rounds, frozen = unpack(ARGV, 1, 5)

-- @include numbers
local head_epoch, head_nonce, last_shard_seq, period, cold =
  unpack(redis.call('HMGET', head_key, 'epoch', 'nonce', 'seq', 'period', 'cold'))
if head_epoch ~= epoch or head_nonce ~= nonce then
  return {'FENCED', head_epoch or ''}
end
local now_cold = ''
if cold_provider ~= '' then
  now_cold = ' ' .. cold_provider .. ':' .. text_of(integer(period) + 2)
  for provider, cold_until in string.gmatch(cold or '', ' (%S+):(%d+)') do
    if provider ~= cold_provider and integer(cold_until) > integer(period) then
      now_cold = now_cold .. ' ' .. provider .. ':' .. cold_until
    end
  end
end
local all_rounds = (redis.call('HGET', wallet_key, 'rounds') or '') .. rounds -- digests of 16 bytes
redis.call('UNLINK', wallet_key) -- first, as it needs no memory: a full server refuses no write after it
if now_cold ~= '' then
  redis.call('HSET', head_key, 'cold', now_cold)
end
redis.call('HSET', wallet_key, 'seq', last_shard_seq, 'suspended', last_shard_seq, 'rounds', all_rounds,
  'frozen', frozen)
return {'OK', last_shard_seq}
