-- evict: let a suspended wallet go, and what Redis knows of its events. SQL has all of its entries, void ones among
-- them, up to `seq`. A load that read SQL before that may not bring it back.
--
-- KEYS     head wallet events_now events_before
-- ARGV     epoch nonce seq
-- RETURNS  OK | FENCED epoch
-- WRITES   head wallet events_now events_before
-- EXAMPLE  seq 12, a suspended wallet → OK, head evicted = 12
local head_key, wallet_key, events_now_key, events_before_key = unpack(KEYS)
local epoch, nonce, seq = unpack(ARGV, 1, 3)

-- @include numbers
local head_epoch, head_nonce, evicted = unpack(redis.call('HMGET', head_key, 'epoch', 'nonce', 'evicted'))
if head_epoch ~= epoch or head_nonce ~= nonce then
  return {'FENCED', head_epoch or ''}
end
if not redis.call('HGET', wallet_key, 'suspended') then
  return {'OK'} -- it has gone before, and may have been loaded since
end
redis.call('UNLINK', wallet_key, events_now_key, events_before_key) -- first, as a full server refuses no write after it
if integer(seq) > integer(evicted or '0') then
  redis.call('HSET', head_key, 'evicted', text_of(integer(seq)))
end
return {'OK'}
