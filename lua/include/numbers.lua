-- numbers: money and sequence numbers, exact up to 2^53 - 1, and never printed by Lua's own rules ("1e+14").
--
-- '%d' prints a C long. Where that has 32 bits the self-test at start fails; '%.0f' would cost twice as much.
-- `redis.call` prints integers that it is given just as exactly: what only Redis reads need not become a string first.
--
-- GIVES    LIMIT integer text_of
local LIMIT = 9007199254740991

local function integer(text)
  if #text > 17 or not string.find(text, '^%-?%d+$') then
    error('not an integer: ' .. text)
  end
  local number = text + 0
  if number > LIMIT or number < -LIMIT then
    error('out of range: ' .. text)
  end
  return number
end

local function text_of(number)
  return string.format('%d', number)
end
