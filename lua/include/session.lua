-- session: `<login by the provider's clock> <renewed by ours> <closed by ours, 0 while open>`, milliseconds.
--
-- NEEDS    session
-- GIVES    login renewed closed
local login, renewed, closed = string.match(session or '', '^(%d+) (%d+) (%d+)$') -- nil without a session
if session and not login then
  error('not a session: ' .. session)
end
