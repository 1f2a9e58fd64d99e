-- event: what every event of a known player has in common, in this order: fence, wallet loaded, already seen, currency.
--
-- `rests_on` of a reply is the seq that must be committed in SQL before anybody may be told: where nothing is written,
-- that of the wallet's last entry, on which the balance of now rests. It is no older than the entry of an event seen.
--
-- What is not here must be asked of SQL until a period: for a wallet that was too much for one load (`ask_until`), and
-- for a provider that has used an id again (`cold`: ' <provider>:<period>' for each).
--
-- NEEDS    head_key wallet_key events_now_key events_before_key epoch period digest fingerprint provider currency
--          snapshot_seq
-- GIVES    LIMIT integer text_of last_shard_seq committed last_token session_field balance_text debt_text version_text
--          last_seq status session wallet_currency balance debt code reason
-- RETURNS  FENCED epoch period | MISS | COLD seq | status code reason currency balance debt rests_on committed
-- @include numbers
-- @include fence
local session_field = 's:' .. provider
local balance_text, debt_text, version_text, last_seq, status, wallet_currency, session, ask_until = unpack(
  redis.call('HMGET', wallet_key, 'balance', 'debt', 'version', 'seq', 'status', 'currency', session_field, 'ask_until')
)
if not version_text then
  return {'MISS'}
end
local balance, debt = integer(balance_text), integer(debt_text)

local seen = redis.call('HGET', events_now_key, digest) or redis.call('HGET', events_before_key, digest)
if seen then
  if string.sub(seen, 1, 16) ~= fingerprint then
    return {'CONFLICT', 'R3', 'conflict', wallet_currency, balance_text, debt_text, last_seq, committed}
  end
  local seen_code = string.sub(seen, 17, 18)
  return {'DUP', seen_code, 'duplicate', wallet_currency, balance_text, debt_text, last_seq, committed}
end
if (ask_until or cold) and snapshot_seq == '' then
  local _, at = string.find(cold or '', ' ' .. provider .. ':', 1, true)
  local cold_until = at and string.match(cold, '^%d+', at + 1) or '0'
  if integer(period) < math.max(integer(ask_until or '0'), integer(cold_until)) then
    return {'COLD', last_seq}
  end
end

local code, reason -- the code of a decline, nil as long as there is none; the reason of what is told
if currency ~= '' and currency ~= wallet_currency then
  code, reason = 'R3', 'currency'
end
