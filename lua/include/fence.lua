-- fence: a caller of another epoch or idempotency period learns both and changes nothing.
--
-- NEEDS    head_key epoch period
-- GIVES    last_shard_seq committed last_token cold
-- RETURNS  FENCED epoch period
local head_epoch, head_period, last_shard_seq, committed, last_token, cold =
  unpack(redis.call('HMGET', head_key, 'epoch', 'period', 'seq', 'committed', 'last', 'cold'))
if head_epoch ~= epoch or head_period ~= period then
  return {'FENCED', head_epoch or '', head_period or ''}
end
