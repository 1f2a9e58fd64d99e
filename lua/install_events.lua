-- install_events: some of a wallet's recent events, so that their repetition is recognised.
--
-- KEYS     head wallet events_now
-- ARGV     epoch period snapshot_seq window_ms
-- ITEMS    digest record
-- RETURNS  OK | FENCED epoch period | EXISTS | FROZEN | SUSPENDED | OUTDATED seq
-- WRITES   events_now
-- EXAMPLE  one event → OK, events_now digest = record
local head_key, wallet_key, events_now_key = unpack(KEYS)
local epoch, period, snapshot_seq, window_ms = unpack(ARGV, 1, 4)

-- @include numbers
-- @include vacant
local expiry_ms = text_of(2 * integer(window_ms))
redis.call('HSET', events_now_key, unpack(ARGV, 5))
redis.call('PEXPIRE', events_now_key, expiry_ms)
return {'OK'}
