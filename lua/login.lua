-- login: open or renew the player's session with one provider.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq future_max_ms
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  a known, active player of balance 10000 → DONE R0 login KRW 10000 0 7 6
local head_key, wallet_key, events_now_key, events_before_key, stream_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq, future_max_ms = unpack(ARGV, 1, 15)
-- @include event
-- @include session

if not code and status ~= 'active' then
  code, reason = 'R1', 'blocked'
elseif not code then
  reason = 'login'
end
-- Stamped far ahead, it counts as less far: else no logout would be newer (SEMANTICS row 24). The fold does the same.
local now = integer(now_ms)
local newest = math.min(integer(timestamp_ms), now + integer(future_max_ms))
if login then
  newest, now = math.max(newest, integer(login)), math.max(now, integer(renewed))
end
local fields = {session_field, string.format('%d %d 0', newest, now)}
local is_final, effects, balance_delta, debt_delta = false, '', 0, 0
-- @include conclude
return reply
