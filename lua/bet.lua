-- bet: take the stakes of a batch of bets, all or nothing.
--
-- KEYS     head wallet events_now events_before stream round
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms user_id
--          provider currency snapshot_seq session_required session_ms session_grace_ms
--          age_max_ms
-- ITEMS    bet_index amount cold
-- RETURNS  status code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream round
-- EXAMPLE  balance 10000, items 1:3000 2:2000 → DONE R0 bet KRW 5000 0 9 8, round 1 = "O 3000", 2 = "O 2000", "" = 2
local head_key, wallet_key, events_now_key, events_before_key, stream_key, round_key = unpack(KEYS)
local epoch, period, digest, fingerprint, payload, token, pending_max, window_ms, now_ms, timestamp_ms, user_id,
  provider, currency, snapshot_seq, session_required, session_ms, session_grace_ms, age_max_ms = unpack(ARGV, 1, 18)
local items_at, width, is_old_possible = 19, 3, false
-- @include event
-- @include session
-- @include bets

-- The state of each bet. `is_final`: a decision about a bet stands for its id, even if funds arrive (SEMANTICS row 6).
local is_final, taken = false, 0
for i = 1, item_count do
  if code then
    break
  end
  -- @include bet
  local amount = integer(ARGV[items_at + (i - 1) * width + 1])
  if not bet then
    written[#written + 1] = indexes[i]
    written[#written + 1] = string.format('O %d', amount)
    effects, opened, taken = effects .. '+', opened + 1, taken + amount
  elseif state == 'C' or state == 'T' then
    code, reason, is_final = 'R3', 'bet_cancelled', true
  elseif stake ~= amount then
    code, reason, is_final = 'R3', 'bet_differs', true
  else
    effects = effects .. '-'
  end
end
if not code and taken > LIMIT then
  code, reason = 'R3', 'overflow'
end

-- Age, and the player: status, session, funds. A batch that has its effect already is not judged again.
local now, fields = integer(now_ms), {}
if not code and #written > 0 then
  local renewal = login and integer(renewed)
  local is_alive = login and now <= renewal + integer(session_ms)
  if age_max_ms ~= '0' and now - integer(timestamp_ms) > integer(age_max_ms) then
    code, reason = 'R3', 'bet_too_old'
  elseif status ~= 'active' then
    code, reason = 'R1', 'blocked'
  elseif session_required == '1' and not is_alive then
    code, reason = 'R1', 'no_session'
  elseif session_required == '1' and closed ~= '0' and now > integer(closed) + integer(session_grace_ms) then
    code, reason = 'R1', 'no_session'
  elseif taken > balance then
    code, reason, is_final = 'R4', 'funds', true
  elseif login and closed == '0' then
    fields = {session_field, login .. ' ' .. (now > renewal and now_ms or renewed) .. ' 0'}
  end
end

if not code then
  reason = #written > 0 and 'bet' or 'repeated'
end
local balance_delta, debt_delta = -taken, 0
-- @include conclude
-- @include round
return reply
