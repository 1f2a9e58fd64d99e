-- name: last_received
-- When the entry that was committed last was received: rows are numbered in the order of commits.
SELECT max(received_ms) FROM (SELECT received_ms FROM entry ORDER BY rowid DESC LIMIT 1);

-- name: rename_ledger
-- Another UUID for a copy that goes a way of its own.
UPDATE ledger SET uuid = ?;
