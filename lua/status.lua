-- status: block or unblock a player.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq new_status
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  status blocked → DONE R0 status KRW 10000 0 13 12
local head_key, wallet_key, events_now_key, events_before_key, stream_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq, new_status = unpack(ARGV, 1, 15)
-- @include event

if not code then
  reason = 'status'
end
local is_final, effects, balance_delta, debt_delta, fields = false, '', 0, 0, {'status', new_status}
-- @include conclude
return reply
