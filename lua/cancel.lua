-- cancel: refund the stored stakes of open bets; an unknown bet is tombstoned, so that it can never be placed.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq unknown
-- ITEMS    bet_index amount cold
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  round 2 = "O 2000", item 2:2000 → DONE R0 cancel KRW 7000 0 10 9, round 2 = "C 2000"
local head_key, wallet_key, events_now_key, events_before_key, stream_key, round_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq, unknown = unpack(ARGV, 1, 15)
local items_at, width, is_old_possible = 16, 3, true
-- @include event
-- @include bets

local given, taken = 0, 0
for i = 1, item_count do
  if code then
    break
  end
  -- @include bet
  local amount = integer(ARGV[items_at + (i - 1) * width + 1])
  if not bet and unknown == 'r3' then
    code, reason = 'R3', 'unknown_bet'
  elseif not bet then
    written[#written + 1] = indexes[i]
    written[#written + 1] = string.format('T %d', amount)
    effects = effects .. 't'
  elseif state == 'S' then
    code, reason = 'R3', 'cancel_of_settled'
  elseif stake ~= amount then
    code, reason = 'R3', 'stake_differs'
  elseif state == 'O' then
    written[#written + 1] = indexes[i]
    written[#written + 1] = string.format('C %d', stake)
    effects, given = effects .. '+', given + stake
    opened = opened - (stored[i + 1] and 1 or 0)
  else
    effects = effects .. '-'
  end
end

if not code and given > LIMIT then
  code, reason = 'R3', 'overflow'
elseif not code then
  reason = #written > 0 and 'cancel' or 'repeated'
end
local is_final, fields = false, {}
-- @include credit
-- @include conclude
-- @include round
return reply
