-- gate: open a new epoch of a shard, over a lower one only. From here on scripts of older epochs change nothing.
-- The empty mark at `<epoch>-<seq>` makes Redis itself refuse any entry that is not newer.
--
-- KEYS     head stream
-- ARGV     epoch seq ledger_uuid now_ms
-- RETURNS  OK period | STALE epoch | FOREIGN ledger_uuid
-- WRITES   head stream
-- EXAMPLE  no head, epoch 1, seq 0 → OK 0, head epoch = 1, seq = 0, committed = 0
-- @include numbers
local epoch, seq, now = integer(ARGV[1]), integer(ARGV[2]), integer(ARGV[4])
local old = redis.call('HMGET', KEYS[1], 'epoch', 'ledger', 'period')
if old[2] and old[2] ~= ARGV[3] then
  return {'FOREIGN', old[2]}
end
if old[1] and integer(old[1]) >= epoch then
  return {'STALE', old[1]}
end
local period = old[3] or '0'
-- It must open on a full server, too, as what it leaves behind is then freed. Trimming nothing is a write that needs no
-- memory, and a full server does not refuse what follows a write.
redis.call('XTRIM', KEYS[2], 'MINID', '0')
redis.call('XADD', KEYS[2], text_of(epoch) .. '-' .. text_of(seq), 'gate', '1')
redis.call('HSET', KEYS[1], 'epoch', text_of(epoch), 'seq', text_of(seq), 'committed', text_of(seq),
  'ledger', ARGV[3], 'period', period, 'period_at', text_of(now))
return {'OK', period}
