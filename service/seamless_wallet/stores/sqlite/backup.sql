-- name: last_received
-- When the last entry was received, of those at the ends of the shards.
SELECT max(entry.received_ms) FROM shard CROSS JOIN entry ON entry.shard = shard.shard AND entry.seq = shard.seq;

-- name: rename_ledger
-- Another UUID for a copy that goes a way of its own.
UPDATE ledger SET uuid = ?;
