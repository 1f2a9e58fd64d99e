-- now: this server's time, ms. Shards move between writers, and the clocks of those may differ.
--
-- GIVES    now
local seconds, microseconds = unpack(redis.call('TIME'))
local now = seconds * 1000 + math.floor(microseconds / 1000)
