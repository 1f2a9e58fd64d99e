-- Statements of the history of calls. The conditions of a query of people are put together in `call_queries`.

-- name: version
-- Migrations that the tables have seen.
SELECT version FROM calls.version;

-- name: has_calls
-- Whether the tables are there.
SELECT to_regclass('calls.version') IS NOT NULL;

-- name: set_version
-- Note that the tables have seen so many.
WITH gone AS (DELETE FROM calls.version) INSERT INTO calls.version VALUES ($1);

-- name: begin_writing
-- Wait until no other process collects or deletes. What is lost with the last commits is the history's last second.
SELECT pg_advisory_xact_lock($1), set_config('synchronous_commit', 'off', true),
  set_config('statement_timeout', '30s', true);

-- name: insert_batches
-- Note that the calls of some batches are here; returns the names of those that were not.
INSERT INTO calls.batch SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name;

-- name: delete_batches
-- Forget batches whose files are gone.
DELETE FROM calls.batch WHERE name = ANY ($1::text[]);

-- name: add_days
-- Make room for calls of these times.
SELECT calls.add_days($1);

-- name: taken_ids
-- The last id of each millisecond of some times.
SELECT id >> 20, max(id) FROM unnest($1::bigint[], $2::bigint[]) AS span (first, until)
  JOIN calls.call ON id >= first AND id < until GROUP BY 1;

-- name: call
-- One call.
SELECT * FROM calls.call WHERE id = $1;

-- name: acknowledge
-- Note that a call needs nothing more.
UPDATE calls.call SET acknowledged_ms = $1, note = $2 WHERE id = $3 RETURNING *;

-- name: erase
-- Delete some calls of a player; returns how many there were.
WITH erased AS (
  DELETE FROM calls.call
  WHERE id = ANY (ARRAY(SELECT id FROM calls.call WHERE user_id = $1 AND user_id <> '' LIMIT $2)) RETURNING id
) SELECT count(*) FROM erased;

-- name: prune
-- Delete what is too old or too much.
SELECT calls.prune($1, $2);
