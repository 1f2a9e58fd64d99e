-- result: settle open bets, crediting stored stake + winloss.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq
-- ITEMS    bet_index amount winloss cold
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  round 1 = "O 3000", item 1:3000:2850 → DONE R0 result KRW 12850 0 11 10, round 1 = "S 3000 2850 2850"
local head_key, wallet_key, events_now_key, events_before_key, stream_key, round_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq = unpack(ARGV, 1, 14)
local items_at, width, is_old_possible = 15, 4, true
-- @include event
-- @include bets
-- @include settled

-- Whether a settled bet had this winloss: at first, or after any change.
local function had(bet, winloss)
  local _, first, changes = parts_of_settled(bet)
  if first == winloss then
    return true
  end
  for _, after in string.gmatch(changes, CHANGE) do
    if integer(after) == winloss then
      return true
    end
  end
  return false
end

local is_orphan, given, taken = false, 0, 0
for i = 1, item_count do
  if code then
    break
  end
  -- @include bet
  local at = items_at + (i - 1) * width
  local amount, winloss = integer(ARGV[at + 1]), integer(ARGV[at + 2])
  if winloss < -amount then
    code, reason = 'R3', 'winloss_below_stake'
  elseif not bet then
    is_orphan = true
  elseif state == 'C' or state == 'T' then
    code, reason = 'R3', 'result_of_cancelled'
  elseif stake ~= amount then
    code, reason = 'R3', 'stake_differs'
  elseif state == 'O' then
    written[#written + 1] = indexes[i]
    written[#written + 1] = string.format('S %d %d %d', stake, winloss, winloss)
    effects, given = effects .. '+', given + stake + winloss
    opened = opened - (stored[i + 1] and 1 or 0)
  elseif had(bet, winloss) then
    effects = effects .. '-'
  else
    code, reason = 'R3', 'settled_differently'
  end
end

if not code and given > LIMIT then
  code, reason = 'R3', 'overflow'
elseif not code and is_orphan then
  code, reason = 'R1', 'orphan'
elseif not code then
  reason = #written > 0 and 'result' or 'repeated'
end
local is_final, fields = false, {}
-- @include credit
-- @include conclude
-- @include round
return reply
