-- event: what every event of a known player has in common, in this order: fence, wallet loaded, already seen, currency.
--
-- `rests_on` of a reply is the seq that must be committed in SQL before anybody may be told: where nothing is written,
-- that of the wallet's last entry, on which the balance of now rests. It is no older than the entry of an event seen.
--
-- NEEDS    head_key wallet_key events_now_key events_before_key epoch period digest fingerprint provider currency
-- GIVES    LIMIT integer text_of last_shard_seq committed last_token session_field balance_text debt_text version_text
--          last_seq status session wallet_currency balance debt code reason
-- RETURNS  FENCED epoch period | MISS | status code reason currency balance debt rests_on committed
-- @include numbers
-- @include fence
local session_field = 's:' .. provider
local balance_text, debt_text, version_text, last_seq, status, wallet_currency, session =
  unpack(redis.call('HMGET', wallet_key, 'balance', 'debt', 'version', 'seq', 'status', 'currency', session_field))
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

local code, reason -- the code of a decline, nil as long as there is none; the reason of what is told
if currency ~= '' and currency ~= wallet_currency then
  code, reason = 'R3', 'currency'
end
