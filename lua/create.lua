-- create: a new player with an empty wallet. The caller has just seen in SQL, at `snapshot_seq`, that there is none.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period |
--          EXISTS seq | SUSPENDED | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  a free user_id → DONE R0 create KRW 0 0 1 0, wallet version = 1
local head_key, wallet_key, events_now_key, events_before_key, stream_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq = unpack(ARGV, 1, 14)
-- @include numbers
-- @include fence
local existing, suspended = unpack(redis.call('HMGET', wallet_key, 'seq', 'suspended'))
if suspended then
  return {'SUSPENDED'}
elseif existing then
  return {'EXISTS', existing}
end

local balance_text, debt_text, version_text, last_seq, wallet_currency, balance, debt =
  '0', '0', '0', '0', currency, 0, 0
local code, reason = nil, 'create'
local is_final, effects, balance_delta, debt_delta = false, '', 0, 0
local fields = {'debt', debt_text, 'status', 'active', 'currency', currency}
-- @include conclude
return reply
