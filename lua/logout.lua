-- logout: close the player's session with one provider, unless a newer login has opened it again.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  a session opened at 5000, logout of 6000 → DONE R0 logout KRW 10000 0 8 7
local head_key, wallet_key, events_now_key, events_before_key, stream_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq = unpack(ARGV, 1, 14)
-- @include event
-- @include session

local now, timestamp, fields = integer(now_ms), integer(timestamp_ms), {}
if not code and (not login or closed ~= '0' or timestamp <= integer(login)) then
  reason = 'repeated'
elseif not code then
  reason = 'logout'
  fields = {session_field, login .. ' ' .. renewed .. ' ' .. text_of(now)}
end
local is_final, effects, balance_delta, debt_delta = false, '', 0, 0
-- @include conclude
return reply
