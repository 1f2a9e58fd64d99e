-- install_events: some of a wallet's recent events, so that their repetition is recognised.
--
-- KEYS     head wallet events_now
-- ARGV     epoch period window_ms
-- ITEMS    digest record
-- RETURNS  OK | FENCED epoch period | EXISTS
-- WRITES   events_now
-- EXAMPLE  one event → OK, events_now digest = record
-- @include numbers
-- @include vacant
local expiry_ms = text_of(2 * integer(ARGV[3]))
redis.call('HSET', KEYS[3], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[3], expiry_ms)
return {'OK'}
