-- install_round: bets of one round of a wallet that is being loaded.
--
-- KEYS     head wallet round
-- ARGV     epoch period window_ms open_bets
-- ITEMS    bet_index bet
-- RETURNS  OK | FENCED epoch period | EXISTS
-- WRITES   round
-- EXAMPLE  one open bet → OK, round 1 = "O 3000", "" = 1
-- @include numbers
-- @include vacant
local window_ms, open_bets = integer(ARGV[3]), integer(ARGV[4])
redis.call('HSET', KEYS[3], '', text_of(open_bets), unpack(ARGV, 5))
if open_bets == 0 then
  redis.call('PEXPIRE', KEYS[3], text_of(window_ms))
end
return {'OK'}
