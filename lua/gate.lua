-- gate: open a new epoch of a shard, over a lower one only. From here on scripts of older epochs change nothing.
-- It goes over a head of this writer, or of that whose nonce it has judged, and over no other.
-- What was evicted in the epochs before has no say any more: a restored ledger may end before that.
-- What Redis calls committed was acknowledged. If SQL lacks some of it, the old epoch is kept, by its number in the
-- head, until an operator takes it out of there.
-- The empty mark at `<epoch>-<seq>` makes Redis itself refuse any entry that is not newer.
--
-- KEYS     head stream
-- ARGV     epoch seq ledger_uuid nonce nonce_before token
-- RETURNS  OK period | STALE epoch | FENCED epoch nonce | FOREIGN ledger_uuid
-- WRITES   head stream
-- EXAMPLE  no head, epoch 1, seq 0 → OK 0, head epoch = 1, seq = 0, committed = 0
local head_key, stream_key = unpack(KEYS)
local epoch, seq, ledger_uuid, nonce, nonce_before, token = unpack(ARGV, 1, 6)

-- @include numbers
-- @include now
local new_epoch, new_seq = integer(epoch), text_of(integer(seq))
local head = redis.call('HMGET', head_key, 'epoch', 'ledger', 'period', 'nonce', 'committed', 'kept')
local old_epoch, owner, period, old_nonce = head[1], head[2], head[3] or '0', head[4] or ''
if owner and owner ~= ledger_uuid then
  return {'FOREIGN', owner}
end
if old_nonce ~= nonce and old_nonce ~= nonce_before then
  return {'FENCED', old_epoch or '', old_nonce}
end
if old_epoch and integer(old_epoch) >= new_epoch then
  return {'STALE', old_epoch}
end
local kept = head[6]
if old_epoch and integer(head[5] or '0') > integer(seq) then
  kept = (kept and kept .. ' ' or '') .. old_epoch
end
-- It must open on a full server, too, as what it leaves behind is then freed. Trimming nothing is a write that needs no
-- memory, and a full server does not refuse what follows a write.
redis.call('XTRIM', stream_key, 'MINID', '0')
redis.call('XADD', stream_key, text_of(new_epoch) .. '-' .. new_seq, 'gate', '1')
redis.call('HSET', head_key, 'epoch', text_of(new_epoch), 'seq', new_seq, 'committed', new_seq,
  'ledger', ledger_uuid, 'period', period, 'period_at', text_of(now), 'nonce', nonce, 'last', token, 'evicted', '0')
if kept then
  redis.call('HSET', head_key, 'kept', kept)
end
return {'OK', period}
