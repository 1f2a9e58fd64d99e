-- bet: take the stakes of a batch of bets, all or nothing.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq session_required session_ms session_grace_ms
-- ITEMS    bet_index amount cold
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  balance 10000, items 1:3000 2:2000 → DONE R0 bet KRW 5000 0 9 8, round 1 = "O 3000", 2 = "O 2000", "" = 2
-- @include event
-- @include post
-- @include session
-- @include bets

-- A decision about a bet stands for its id, even if funds arrive (SEMANTICS row 6).
local function decline_for_good(code, reason)
  if looked_up then
    record_event(code, '')
  end
  return decline(code, reason)
end

local items, must_ask = read_items(17, 3, false)
if must_ask then
  return {'COLD', last_seq}
end
for _, item in ipairs(items) do
  if not item.bet then
    put(item, '+', 'O ' .. text_of(item.amount), -item.amount)
  elseif item.bet.state == 'C' or item.bet.state == 'T' then
    return decline_for_good('R3', 'bet_cancelled')
  elseif item.bet.stake ~= item.amount then
    return decline_for_good('R3', 'bet_differs')
  else
    keep()
  end
end

if batch.overflow then
  return decline('R3', 'overflow')
end

local now, open, fields = integer(ARGV[9]), read_session(), nil
if #batch.bets > 0 then -- a batch that has its effect already is not judged again
  if wallet.blocked then
    return decline('R1', 'blocked')
  end
  if ARGV[14] == '1' then
    local alive = open and now <= open.renewed + integer(ARGV[15])
    if not alive or (open.closed > 0 and now > open.closed + integer(ARGV[16])) then
      return decline('R1', 'no_session')
    end
  end
  if balance + batch.moved < 0 then
    return decline_for_good('R4', 'funds')
  end
  if open and open.closed == 0 then
    fields = {session_field, session_text(open.login, math.max(now, open.renewed), 0)}
  end
end
return post_batch('bet', batch.moved, 0, fields)
