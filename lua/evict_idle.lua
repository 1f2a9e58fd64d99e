-- evict_idle: let a wallet go that nothing was written for since SQL had `idle_seq`. SQL has all of it, and whoever
-- needs it loads it again. A load that read SQL before its last entry may not bring it back.
--
-- `evicted` rises to the wallet's own last seq and not to that of the shard: that is long ago, and refuses no load that
-- is under way. What Redis knows of its events stays until it expires.
--
-- KEYS     head wallet
-- ARGV     epoch nonce idle_seq
-- RETURNS  OK | KEPT | FENCED epoch
-- WRITES   head wallet
-- EXAMPLE  last seq 8, idle_seq 9, committed 10 → OK, head evicted = 8
local head_key, wallet_key = unpack(KEYS)
local epoch, nonce, idle_seq = unpack(ARGV, 1, 3)

-- @include numbers
local head_epoch, head_nonce, committed, evicted =
  unpack(redis.call('HMGET', head_key, 'epoch', 'nonce', 'committed', 'evicted'))
if head_epoch ~= epoch or head_nonce ~= nonce then
  return {'FENCED', head_epoch or ''}
end
local last_seq, suspended = unpack(redis.call('HMGET', wallet_key, 'seq', 'suspended'))
if not last_seq or suspended then
  return {'KEPT'}
end
local last = integer(last_seq)
if last > integer(idle_seq) or last > integer(committed) then
  return {'KEPT'}
end
redis.call('UNLINK', wallet_key) -- first: a full server refuses no such write, nor what follows a write
if last > integer(evicted or '0') then
  redis.call('HSET', head_key, 'evicted', text_of(last))
end
return {'OK'}
