-- confirm: what SQL has committed. Raises the watermark, trims the stream behind it to a bounded tail, and advances
-- the idempotency period when it is over (here and nowhere else; one period at a time, so that none is skipped).
--
-- KEYS     head stream
-- ARGV     epoch seq tail now_ms window_ms
-- RETURNS  OK seq | FENCED epoch
-- WRITES   head stream
-- EXAMPLE  seq 12 of epoch 3, tail 1000 → OK 12, head committed = 12
-- @include numbers
local head = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'committed', 'period', 'period_at')
if head[1] ~= ARGV[1] then
  return {'FENCED', head[1] or ''}
end
local committed, tail, now, window = integer(ARGV[2]), integer(ARGV[3]), integer(ARGV[4]), integer(ARGV[5])
-- Trimming comes first: it needs no memory, and a full server does not refuse what follows a write.
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-' .. text_of(math.max(0, committed - tail)))
if committed > integer(head[3]) then
  redis.call('HSET', KEYS[1], 'committed', text_of(committed))
end
local since = integer(head[5])
if now >= since + window then
  redis.call('HSET', KEYS[1], 'period', text_of(integer(head[4]) + 1), 'period_at', text_of(now))
elseif now < since then -- the clock was set back: count from here
  redis.call('HSET', KEYS[1], 'period_at', text_of(now))
end
return {'OK', head[2]}
