-- Statements of the history of calls. The conditions of a query of people are put together in `questions`.

-- name: insert_batch
-- Note that the calls of a batch are here.
INSERT OR IGNORE INTO batch (name) VALUES (?);

-- name: batches
-- Batches whose calls are here.
SELECT name FROM batch;

-- name: delete_batch
-- Forget a batch whose file is gone.
DELETE FROM batch WHERE name = ?;

-- name: insert_call
-- A call, under an id that is free.
INSERT INTO call (
    id, provider, peer, key_slot, event, user_id, transaction_id, game_no, code, reason, place,
    problem, read_us, open_us, queue_us, redis_us, commit_us, seal_us, request, reply, request_bytes, replay_of, failed
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: taken_ids
-- The last id of each millisecond of a time.
SELECT id >> 20, max(id) FROM call WHERE id >= ? AND id < ? GROUP BY 1;

-- name: call
-- One call.
SELECT * FROM call WHERE id = ?;

-- name: acknowledge
-- Note that a call needs nothing more.
UPDATE call SET acknowledged_ms = ?, note = ? WHERE id = ?;

-- name: erase
-- Delete some calls of a player.
DELETE FROM call WHERE id IN (SELECT id FROM call WHERE user_id = ? AND user_id <> '' LIMIT ?);

-- name: delete_before
-- Delete some of the calls before an id, the oldest first.
DELETE FROM call WHERE id IN (SELECT id FROM call WHERE id < ? ORDER BY id LIMIT ?);
