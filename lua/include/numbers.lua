-- Money and sequence numbers: exact up to 2^53 - 1, and never printed by Lua's own rules ("1e+14").
local LIMIT = 9007199254740991

local function integer(text)
  if #text > 17 or not string.match(text, '^%-?%d+$') then
    error('not an integer: ' .. text)
  end
  local number = tonumber(text)
  if number > LIMIT or number < -LIMIT then
    error('out of range: ' .. text)
  end
  return number
end

local function text_of(number)
  return string.format('%.0f', number + 0) -- + 0 turns -0 into 0
end
