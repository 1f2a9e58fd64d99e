-- confirm: what SQL has committed. Raises the watermark, trims the stream behind it to a bounded tail, and advances
-- the idempotency period when it is over (here and nowhere else; one period at a time, so that none is skipped), by the
-- time of this server.
-- Then it tells the workers: here, so that a writer that has lost the shard tells nobody anything, however late it is.
--
-- KEYS     head stream
-- ARGV     epoch seq tail window_ms nonce channel tokens
-- RETURNS  OK seq | FENCED epoch nonce
-- WRITES   head stream
-- EXAMPLE  seq 12 of epoch 3, tail 1000 → OK 12, head committed = 12
local head_key, stream_key = unpack(KEYS)
local epoch, seq, tail, window_ms, nonce, channel, tokens = unpack(ARGV, 1, 7)

-- @include numbers
-- @include now
local head = redis.call('HMGET', head_key, 'epoch', 'seq', 'committed', 'period', 'period_at', 'nonce')
if head[1] ~= epoch or head[6] ~= nonce then
  return {'FENCED', head[1] or '', head[6] or ''}
end
local committed, kept, window = integer(seq), integer(tail), integer(window_ms)
-- Trimming comes first: it needs no memory, and a full server does not refuse what follows a write.
redis.call('XTRIM', stream_key, 'MINID', epoch .. '-' .. text_of(math.max(0, committed - kept)))
if committed > integer(head[3]) then
  redis.call('HSET', head_key, 'committed', text_of(committed))
end
local period_at = integer(head[5])
if now >= period_at + window then
  redis.call('HSET', head_key, 'period', text_of(integer(head[4]) + 1), 'period_at', text_of(now))
elseif now < period_at then -- the clock was set back: count from here
  redis.call('HSET', head_key, 'period_at', text_of(now))
end
redis.call('PUBLISH', channel, nonce .. ' ' .. epoch .. ' ' .. seq .. ' ' .. tokens)
return {'OK', head[2]}
