-- result: settle open bets, crediting stored stake + winloss.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq
-- ITEMS    bet_index amount winloss cold
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  round 1 = "O 3000", item 1:3000:2850 → DONE R0 result KRW 12850 0 11 10, round 1 = "S 3000 2850 2850"
-- @include event
-- @include post
-- @include bets
-- @include credit
local function had(bet, winloss)
  if bet.first == winloss then
    return true
  end
  for _, change in ipairs(bet.changes) do
    if change.after == winloss then
      return true
    end
  end
  return false
end

local items, must_ask = read_items(14, 4, true)
if must_ask then
  return {'COLD', last_seq}
end
local orphan = false
for _, item in ipairs(items) do
  local bet, winloss = item.bet, integer(ARGV[item.at + 2])
  if winloss < -item.amount then
    return decline('R3', 'winloss_below_stake')
  elseif not bet then
    orphan = true
  elseif bet.state == 'C' or bet.state == 'T' then
    return decline('R3', 'result_of_cancelled')
  elseif bet.stake ~= item.amount then
    return decline('R3', 'stake_differs')
  elseif bet.state == 'O' then
    local net = text_of(winloss)
    put(item, '+', 'S ' .. text_of(bet.stake) .. ' ' .. net .. ' ' .. net, bet.stake + winloss)
  elseif had(bet, winloss) then
    keep()
  else
    return decline('R3', 'settled_differently')
  end
end
if batch.overflow then
  return decline('R3', 'overflow')
end
if orphan then
  return decline('R1', 'orphan')
end
return post_credit('result')
