-- The epoch fence. A caller of another epoch or idempotency period learns both and changes nothing.
local head = redis.call('HMGET', KEYS[1], 'epoch', 'period', 'seq', 'committed')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then
  return {'FENCED', head[1] or '', head[2] or ''}
end
