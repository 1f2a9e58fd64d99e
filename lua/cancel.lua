-- cancel: refund the stored stakes of open bets; an unknown bet is tombstoned, so that it can never be placed.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq unknown
-- ITEMS    bet_index amount cold
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  round 2 = "O 2000", item 2:2000 → DONE R0 cancel KRW 7000 0 10 9, round 2 = "C 2000"
-- @include event
-- @include post
-- @include bets
-- @include credit
local items, must_ask = read_items(15, 3, true)
if must_ask then
  return {'COLD', last_seq}
end
for _, item in ipairs(items) do
  local bet = item.bet
  if not bet then
    if ARGV[14] == 'r3' then
      return decline('R3', 'unknown_bet')
    end
    put(item, 't', 'T ' .. text_of(item.amount), 0)
  elseif bet.state == 'S' then
    return decline('R3', 'cancel_of_settled')
  elseif bet.stake ~= item.amount then
    return decline('R3', 'stake_differs')
  elseif bet.state == 'O' then
    put(item, '+', 'C ' .. text_of(bet.stake), bet.stake)
  else
    keep()
  end
end
if batch.overflow then
  return decline('R3', 'overflow')
end
return post_credit('cancel')
