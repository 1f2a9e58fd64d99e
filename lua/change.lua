-- change: correct the winloss of settled bets. The stored value decides the money, never `before`.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq overdraw changes_max change_tolerance_ms
-- ITEMS    bet_index amount winloss winloss_before cold
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  balance 1000, round 1 = "S 3000 2850 2850", item 1:3000:-3000:2850 at 5000
--          → DONE R0 change KRW 0 4850 12 11, round 1 = "S 3000 -3000 2850 2850:-3000:5000"
local head_key, wallet_key, events_now_key, events_before_key, stream_key, round_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq, overdraw, changes_max, change_tolerance_ms = unpack(ARGV, 1, 17)
local items_at, width, is_old_possible = 18, 5, true
-- @include event
-- @include bets
-- @include settled

local timestamp, count_max, tolerance = integer(timestamp_ms), integer(changes_max), integer(change_tolerance_ms)

-- SEMANTICS rows 60 to 64, in this order. `changes` are those applied so far, oldest first.
local function judge(winloss, changes, before, after)
  local pair_applied, count, last_timestamp = false, 0, nil
  for old_before, old_after, at in string.gmatch(changes, CHANGE) do
    count, last_timestamp = count + 1, integer(at)
    if integer(old_before) == before and integer(old_after) == after then
      pair_applied = true
      if last_timestamp == timestamp then
        return winloss == after and 'repeated' or 'superseded'
      end
    end
  end
  if before == winloss then
    if last_timestamp and timestamp < last_timestamp - tolerance then
      return 'outdated'
    end
    return count < count_max and 'apply' or 'too_many'
  end
  return pair_applied and 'repeated' or 'early'
end

local given, taken = 0, 0 -- each sign by itself, or the order of the items would decide
local later = nil -- the reason of an R1, unless another item is an R3
local is_superseded = false -- an item was applied before, and is not what is stored any more
for i = 1, item_count do
  if code then
    break
  end
  -- @include bet
  local at = items_at + (i - 1) * width
  local amount, after, before = integer(ARGV[at + 1]), integer(ARGV[at + 2]), integer(ARGV[at + 3])
  if after < -amount then
    code, reason = 'R3', 'winloss_below_stake'
  elseif state == 'C' or state == 'T' then
    code, reason = 'R3', 'change_of_cancelled'
  elseif bet and stake ~= amount then
    code, reason = 'R3', 'stake_differs'
  elseif not bet then
    later = later or 'orphan'
  elseif state == 'O' then
    later = later or 'change_early'
  else
    local winloss, first, changes = parts_of_settled(bet)
    local verdict = judge(winloss, changes, before, after)
    if verdict == 'apply' then
      written[#written + 1] = indexes[i]
      written[#written + 1] = string.format('S %d %d %d%s %d:%d:%d',
        stake, after, first, changes, before, after, timestamp)
      effects = effects .. '+'
      given, taken = given + math.max(after - winloss, 0), taken + math.max(winloss - after, 0)
    elseif verdict == 'repeated' or verdict == 'superseded' then
      effects, is_superseded = effects .. '-', is_superseded or verdict == 'superseded'
    elseif verdict == 'too_many' then
      code, reason = 'R3', 'too_many_changes'
    elseif verdict == 'outdated' then
      later = 'change_outdated'
    else
      later = later or 'change_early'
    end
  end
end

-- A gain pays the debt first. A loss takes what is there; the rest becomes a debt, or is refused (SEMANTICS row 66).
-- @include credit
if given < taken then
  balance_delta = -math.min(balance, taken - given)
  debt_delta = taken - given + balance_delta
end
if not code and (given > LIMIT or taken > LIMIT) then
  code, reason = 'R3', 'overflow'
elseif not code and later then
  code, reason = 'R1', later
elseif not code and debt_delta > 0 and overdraw == 'reject' then
  code, reason = 'R4', 'funds'
elseif not code and is_superseded then
  reason = 'change_superseded'
elseif not code then
  reason = #written > 0 and 'change' or 'repeated'
end
local is_final, fields = false, {}
-- @include conclude
-- @include round
return reply
