-- A game credit pays the player's debt first (SEMANTICS row 67).
local function post_credit(reason)
  local paid = math.min(debt, batch.moved)
  return post_batch(reason, batch.moved - paid, -paid)
end
