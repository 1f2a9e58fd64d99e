-- confirm: what SQL has committed of some shards. For each it raises the watermark, trims the stream behind it to a
-- bounded tail, and advances the idempotency period when it is over (here and nowhere else; one period at a time, so
-- that none is skipped), by the time of this server.
-- Then it tells the workers, in one message with a line for each shard: here, so that a writer that has lost a shard
-- tells nobody anything of it, however late it is.
--
-- KEYS     head stream, of each item
-- ARGV     tail window_ms nonce channel
-- ITEMS    shard epoch seq tokens
-- RETURNS  OK seq | FENCED epoch nonce, of each item
-- WRITES   head stream
-- EXAMPLE  seq 12 of epoch 3, tail 1000 → OK 12, head committed = 12
local tail, window_ms, nonce, channel = unpack(ARGV, 1, 4)

-- @include numbers
-- @include now
local kept, window = integer(tail), integer(window_ms)
local replies, due, told = {}, {}, {}
for item = 1, #KEYS / 2 do
  local head_key, stream_key = KEYS[2 * item - 1], KEYS[2 * item]
  local shard, epoch, seq, tokens = unpack(ARGV, 4 * item + 1, 4 * item + 4)
  local head_epoch, last_seq, committed, period, period_at, head_nonce =
    unpack(redis.call('HMGET', head_key, 'epoch', 'seq', 'committed', 'period', 'period_at', 'nonce'))
  if head_epoch ~= epoch or head_nonce ~= nonce then
    replies[item] = {'FENCED', head_epoch or '', head_nonce or ''}
  else
    replies[item] = {'OK', last_seq}
    due[#due + 1] = {
      head_key, stream_key, epoch, integer(seq), integer(committed), integer(period), integer(period_at)
    }
    told[#told + 1] = shard .. ' ' .. epoch .. ' ' .. seq .. ' ' .. tokens
  end
end
for _, shard in ipairs(due) do
  local head_key, stream_key, epoch, seq, committed, period, period_at = unpack(shard)
  -- Trimming comes first: it needs no memory, and a full server does not refuse what follows a write.
  redis.call('XTRIM', stream_key, 'MINID', epoch .. '-' .. text_of(math.max(0, seq - kept)))
  if seq > committed then
    redis.call('HSET', head_key, 'committed', text_of(seq))
  end
  if now >= period_at + window then
    redis.call('HSET', head_key, 'period', text_of(period + 1), 'period_at', text_of(now))
  elseif now < period_at then -- the clock was set back: count from here
    redis.call('HSET', head_key, 'period_at', text_of(now))
  end
end
if #told > 0 then
  redis.call('PUBLISH', channel, nonce .. '\n' .. table.concat(told, '\n'))
end
return replies
