-- create: a new player with an empty wallet. The caller has just seen in SQL, at `snapshot_seq`, that there is none.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | EXISTS seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  a free user_id → DONE R0 create KRW 0 0 1 0, wallet version = 1
-- @include numbers
-- @include fence
local existing = redis.call('HGET', KEYS[2], 'seq')
if existing then
  return {'EXISTS', existing}
end
local wallet, balance, debt = {'0'}, 0, 0
local function answer(outcome, code, reason, rests_on)
  return {outcome, code, reason, ARGV[12], text_of(balance), text_of(debt), rests_on, head[4]}
end
local function decline(code, reason)
  return answer('DECLINED', code, reason, '0')
end
-- @include post
return post('create', {fields = {'status', 'active', 'currency', ARGV[12]}})
