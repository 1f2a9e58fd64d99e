-- install_round: bets of one round of a wallet that is being loaded.
--
-- KEYS     head wallet round
-- ARGV     epoch period window_ms open_bets
-- ITEMS    bet_index bet
-- RETURNS  OK | FENCED epoch period | EXISTS
-- WRITES   round
-- EXAMPLE  one open bet → OK, round 1 = "O 3000", "" = 1
-- @include vacant
redis.call('HSET', KEYS[3], '', ARGV[4], unpack(ARGV, 5))
if ARGV[4] == '0' then
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return {'OK'}
