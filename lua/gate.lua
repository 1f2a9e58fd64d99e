-- gate: open a new epoch of a shard, over a lower one only. From here on scripts of older epochs change nothing.
-- The empty mark at `<epoch>-<seq>` makes Redis itself refuse any entry that is not newer.
--
-- KEYS     head stream
-- ARGV     epoch seq ledger_uuid now_ms
-- RETURNS  OK period | STALE epoch | FOREIGN ledger_uuid
-- WRITES   head stream
-- EXAMPLE  no head, epoch 1, seq 0 → OK 0, head epoch = 1, seq = 0, committed = 0
local old = redis.call('HMGET', KEYS[1], 'epoch', 'ledger', 'period')
if old[2] and old[2] ~= ARGV[3] then
  return {'FOREIGN', old[2]}
end
if old[1] and tonumber(old[1]) >= tonumber(ARGV[1]) then
  return {'STALE', old[1]}
end
local period = old[3] or '0'
redis.call('XADD', KEYS[2], ARGV[1] .. '-' .. ARGV[2], 'gate', '1')
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', ARGV[2], 'committed', ARGV[2], 'ledger', ARGV[3],
  'period', period, 'period_at', ARGV[4])
return {'OK', period}
