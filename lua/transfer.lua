-- transfer: a deposit or a withdrawal by the back office. A deposit does not pay debts; a withdrawal may take at
-- most balance - debt and is refused while the player is blocked.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq direction amount
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  balance 0, deposit 10000 → DONE R0 deposit KRW 10000 0 2 1
-- @include event
-- @include post
local amount = integer(ARGV[15])
if ARGV[14] == 'deposit' then
  return post('deposit', {balance = amount})
end
if wallet.blocked then
  return decline('R1', 'blocked')
end
if amount > balance - debt then
  return decline('R4', 'funds')
end
return post('withdraw', {balance = -amount})
