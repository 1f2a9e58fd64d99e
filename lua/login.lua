-- login: open or renew the player's session with one provider.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  a known, active player of balance 10000 → DONE R0 login KRW 10000 0 7 6
-- @include event
-- @include post
-- @include session
if wallet.blocked then
  return decline('R1', 'blocked')
end
local login, renewed = integer(ARGV[10]), integer(ARGV[9])
local open = read_session()
if open then
  login, renewed = math.max(login, open.login), math.max(renewed, open.renewed)
end
return post('login', {fields = {session_field, session_text(login, renewed, 0)}})
