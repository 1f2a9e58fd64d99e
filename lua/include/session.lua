-- A session is `<login by the provider's clock> <renewed by ours> <closed by ours, 0 while open>`, milliseconds.
local function read_session()
  if not wallet.session then
    return nil
  end
  local login, renewed, closed = string.match(wallet.session, '^(%d+) (%d+) (%d+)$')
  return {login = integer(login), renewed = integer(renewed), closed = integer(closed)}
end

local function session_text(login, renewed, closed)
  return text_of(login) .. ' ' .. text_of(renewed) .. ' ' .. text_of(closed)
end
