-- settled: the parts of a settled bet's text, `S <stake> <winloss> <first winloss> [<before>:<after>:<timestamp> …]`.
--
-- NEEDS    integer
-- GIVES    CHANGE parts_of_settled
local CHANGE = ' (%-?%d+):(%-?%d+):(%d+)'

-- Winloss, first winloss, and the changes as they stand in the text, for `string.gmatch` with CHANGE.
local function parts_of_settled(bet)
  local winloss, first, changes = string.match(bet, '^S %d+ (%-?%d+) (%-?%d+)(.*)$')
  if changes ~= '' and string.gsub(changes, CHANGE, '') ~= '' then
    error('not a bet: ' .. bet)
  end
  return integer(winloss), integer(first), changes
end
