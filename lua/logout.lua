-- logout: close the player's session with one provider, unless a newer login has opened it again.
--
-- KEYS     head wallet events_now events_before stream
-- ARGV     epoch period digest fingerprint payload token pending_max window_ms now_ms timestamp_ms provider
--          currency snapshot_seq
-- RETURNS  outcome code reason currency balance debt rests_on committed | FENCED epoch period | MISS | COLD seq
-- WRITES   head wallet events_now stream
-- EXAMPLE  a session opened at 5000, logout of 6000 → DONE R0 logout KRW 10000 0 8 7
-- @include event
-- @include post
-- @include session
local open = read_session()
if not open or open.closed > 0 or integer(ARGV[10]) <= open.login then
  return post('repeated', {})
end
return post('logout', {fields = {session_field, session_text(open.login, open.renewed, integer(ARGV[9]))}})
