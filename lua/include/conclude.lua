-- conclude: a decline is told, or what was decided is written. The only code that writes an entry.
--
-- Nothing is declined before SQL was asked: Redis may have forgotten the event or its bets, and the answer was R0.
-- (What is taken by mistake, the ledger's unique indexes refuse.) A final decline stands for its id (SEMANTICS row 6).
-- XADD comes before all other writes: if it is refused (OOM, READONLY, a seq that is not newer), nothing was written.
-- All strings are made before it, as nothing after it may fail. The version and times go to Redis as numbers.
--
-- NEEDS    head_key wallet_key events_now_key stream_key epoch digest fingerprint payload token pending_max window_ms
--          user_id provider
--          snapshot_seq LIMIT integer text_of last_shard_seq committed last_token balance_text debt_text version_text
--          last_seq wallet_currency balance debt code reason is_final balance_delta debt_delta effects fields
-- GIVES    reply window
-- RETURNS  COLD seq | status code reason currency balance debt rests_on committed
local last, window = integer(last_shard_seq), integer(window_ms)
local new_balance, new_debt = balance + balance_delta, debt + debt_delta
if not code and (new_balance > LIMIT or new_debt > LIMIT) then
  code, reason = 'R1', 'overflow'
end
if code then
  if snapshot_seq == '' then
    return {'COLD', last_seq}
  end
  if is_final then
    redis.call('HSET', events_now_key, digest, fingerprint .. code)
    redis.call('PEXPIRE', events_now_key, 2 * window)
  end
  return {'DECLINED', code, reason, wallet_currency, balance_text, debt_text, last_seq, committed}
end
if new_balance < 0 or new_debt < 0 then
  error('a negative balance or debt was decided')
end
if last - integer(committed) >= integer(pending_max) then
  return {'BUSY', 'R1', 'backlog', wallet_currency, balance_text, debt_text, '0', committed}
end
local seq, version = text_of(last + 1), integer(version_text) + 1
local balance_after, debt_after = text_of(new_balance), debt_text
if debt_delta ~= 0 then -- most events leave it as it is
  debt_after = text_of(new_debt)
  fields[#fields + 1] = 'debt'
  fields[#fields + 1] = debt_after
end
local decided =
  string.format('%d %d %d %d %d %s', version, new_balance, new_debt, balance_delta, debt_delta, effects)
local record = fingerprint .. 'R0' .. seq
local reply = {'DONE', 'R0', reason, wallet_currency, balance_after, debt_after, seq, committed}

redis.call('XADD', stream_key, epoch .. '-' .. seq, 'u', user_id, 'p', provider, 'e', payload, 'd', decided, 't', token,
  'b', last_token)
redis.call('HSET', head_key, 'seq', seq, 'last', token)
redis.call('HSET', wallet_key, 'version', version, 'seq', seq, 'balance', balance_after, unpack(fields))
redis.call('HSET', events_now_key, digest, record)
redis.call('PEXPIRE', events_now_key, 2 * window)
