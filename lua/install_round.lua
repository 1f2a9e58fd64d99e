-- install_round: bets of one round of a wallet that is being loaded.
--
-- KEYS     head wallet round
-- ARGV     epoch period snapshot_seq window_ms open_bets
-- ITEMS    bet_index bet
-- RETURNS  OK | FENCED epoch period | EXISTS | FROZEN | SUSPENDED | OUTDATED seq
-- WRITES   round
-- EXAMPLE  one open bet → OK, round 1 = "O 3000", "" = 1
local head_key, wallet_key, round_key = unpack(KEYS)
local epoch, period, snapshot_seq, window_ms, open_bets = unpack(ARGV, 1, 5)

-- @include numbers
-- @include vacant
local window, open = text_of(integer(window_ms)), text_of(integer(open_bets))
redis.call('HSET', round_key, '', open, unpack(ARGV, 6))
if open == '0' then
  redis.call('PEXPIRE', round_key, window)
else
  redis.call('PERSIST', round_key)
end
return {'OK'}
