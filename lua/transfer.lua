-- transfer: a deposit or a withdrawal by the back office. A deposit does not pay debts; a withdrawal may take at
-- most balance - debt and is refused while the player is blocked.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq direction amount
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  balance 0, deposit 10000 → DONE R0 deposit KRW 10000 0 2 1
local head_key, wallet_key, events_now_key, events_before_key, stream_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq, direction, amount = unpack(ARGV, 1, 16)
-- @include event

local cash, balance_delta = integer(amount), 0
if not code and direction == 'deposit' then
  reason, balance_delta = 'deposit', cash
elseif not code and status ~= 'active' then
  code, reason = 'R1', 'blocked'
elseif not code and cash > balance - debt then
  code, reason = 'R4', 'funds'
elseif not code then
  reason, balance_delta = 'withdraw', -cash
end
local is_final, effects, debt_delta, fields = false, '', 0, {}
-- @include conclude
return reply
