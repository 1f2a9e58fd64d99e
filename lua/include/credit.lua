-- credit: a game credit pays the player's debt first (SEMANTICS row 67).
--
-- NEEDS    given taken debt
-- GIVES    balance_delta debt_delta
local debt_delta = -math.min(debt, given - taken)
local balance_delta = given - taken + debt_delta
