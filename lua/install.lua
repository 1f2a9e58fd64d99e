-- install: the wallet itself, last of all: its presence means that it is completely loaded.
--
-- KEYS     head wallet
-- ARGV     epoch period snapshot_seq
-- ITEMS    field value
-- RETURNS  OK | FENCED epoch period | EXISTS | FROZEN | SUSPENDED | OUTDATED seq
-- WRITES   wallet
-- EXAMPLE  version 3, balance 10000 … → OK, wallet balance = 10000
local head_key, wallet_key = unpack(KEYS)
local epoch, period, snapshot_seq = unpack(ARGV, 1, 3)

-- @include numbers
-- @include vacant
redis.call('HSET', wallet_key, unpack(ARGV, 4))
return {'OK'}
