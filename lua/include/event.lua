-- What every event has in common, in this order: fence, wallet loaded, already seen, currency.
--
-- KEYS head wallet events_now events_before stream
-- ARGV epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider currency
--      snapshot_seq
-- @include numbers
-- @include fence
local session_field = 's:' .. ARGV[11]
local wallet =
  redis.call('HMGET', KEYS[2], 'version', 'seq', 'balance', 'debt', 'status', 'currency', session_field)
if not wallet[1] then
  return {'MISS'}
end
local last_seq, balance, debt = wallet[2], integer(wallet[3]), integer(wallet[4])
wallet.blocked = wallet[5] ~= 'active'
wallet.session = wallet[7]

-- `rests_on` is the seq that must be committed in SQL before anybody may be told.
local function answer(outcome, code, reason, rests_on)
  return {outcome, code, reason, wallet[6], text_of(balance), text_of(debt), rests_on, head[4]}
end

-- Redis may have forgotten the event or its bets, and the answer was R0: SQL is asked before anything is declined.
-- (What is taken by mistake, the ledger's unique indexes refuse.)
local looked_up = ARGV[13] ~= ''

local function decline(code, reason)
  if not looked_up then
    return {'COLD', last_seq}
  end
  return answer('DECLINED', code, reason, last_seq)
end

local seen = redis.call('HGET', KEYS[3], ARGV[3]) or redis.call('HGET', KEYS[4], ARGV[3])
if seen then
  if string.sub(seen, 1, 16) ~= ARGV[4] then
    return answer('CONFLICT', 'R3', 'conflict', last_seq)
  end
  local code = string.sub(seen, 17, 18)
  -- The balance of now rests on the wallet's last entry, which is no older than the event's own.
  return answer('DUP', code, 'duplicate', last_seq)
end
if ARGV[12] ~= '' and ARGV[12] ~= wallet[6] then
  return decline('R3', 'currency')
end
