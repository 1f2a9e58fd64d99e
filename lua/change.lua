-- change: correct the winloss of settled bets. The stored value decides the money, never `before`.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq overdraw changes_max change_tolerance_ms
-- ITEMS    bet_index amount winloss winloss_before cold
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  balance 1000, round 1 = "S 3000 2850 2850", item 1:3000:-3000:2850 at 5000
--          → DONE R0 change KRW 0 4850 12 11, round 1 = "S 3000 -3000 2850 2850:-3000:5000"
-- @include event
-- @include post
-- @include bets
-- @include credit
local timestamp = integer(ARGV[10])

-- SEMANTICS rows 60 to 64, in this order.
local function judge(bet, before, after)
  local pair_applied = false
  for _, change in ipairs(bet.changes) do
    if change.before == before and change.after == after then
      pair_applied = true
      if change.timestamp == timestamp then
        return 'repeated'
      end
    end
  end
  if before == bet.winloss then
    local last = bet.changes[#bet.changes]
    if last and timestamp < last.timestamp - integer(ARGV[16]) then
      return 'outdated'
    end
    return #bet.changes < integer(ARGV[15]) and 'apply' or 'too_many'
  end
  return pair_applied and 'repeated' or 'early'
end

local items, must_ask = read_items(17, 5, true)
if must_ask then
  return {'COLD', last_seq}
end
local later = nil -- the reason of an R1, unless another item is an R3
for _, item in ipairs(items) do
  local bet, after, before = item.bet, integer(ARGV[item.at + 2]), integer(ARGV[item.at + 3])
  if after < -item.amount then
    return decline('R3', 'winloss_below_stake')
  elseif bet and (bet.state == 'C' or bet.state == 'T') then
    return decline('R3', 'change_of_cancelled')
  elseif bet and bet.stake ~= item.amount then
    return decline('R3', 'stake_differs')
  elseif not bet or bet.state == 'O' then
    later = later or (bet and 'change_early' or 'orphan')
  else
    local verdict = judge(bet, before, after)
    if verdict == 'apply' then
      local words = string.gsub(item.text, '^S (%S+) %S+', 'S %1 ' .. text_of(after), 1)
      local change = text_of(before) .. ':' .. text_of(after) .. ':' .. text_of(timestamp)
      put(item, '+', words .. ' ' .. change, after - bet.winloss)
    elseif verdict == 'repeated' then
      keep()
    elseif verdict == 'too_many' then
      return decline('R3', 'too_many_changes')
    else
      later = verdict == 'outdated' and 'change_outdated' or later or 'change_early'
    end
  end
end
if batch.overflow then
  return decline('R3', 'overflow')
end
if later then
  return decline('R1', later)
end
if batch.moved >= 0 then
  return post_credit('change')
end
local taken = math.min(balance, -batch.moved)
if taken < -batch.moved and ARGV[14] == 'reject' then
  return decline('R4', 'funds')
end
return post_batch('change', -taken, -batch.moved - taken)
