-- name: is_used
-- Whether the ledger has anything, or had a writer.
SELECT EXISTS (SELECT FROM ledger.shard WHERE epoch > 0 OR seq > 0) OR EXISTS (SELECT FROM ledger.wallet)
  OR EXISTS (SELECT FROM ledger.archive);

-- name: present_month
-- That of the server's clock.
SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date;

-- name: add_month
-- The partition of a month.
SELECT ledger.add_month($1);

-- name: set_shard
-- Where a shard stands. It names neither a writer nor a Redis server.
UPDATE ledger.shard SET epoch = $2, seq = $3, chain = $4, token = $5, month = $6 WHERE shard = $1;

-- name: analyze
-- Have what was written known to the planner.
ANALYZE ledger.entry, ledger.wallet, ledger.mark, ledger.signpost;

-- name: entries
-- Every entry, by place.
SELECT entry.* FROM ledger.entry ORDER BY id;

-- name: shard
-- Where each shard stands.
SELECT shard, epoch, seq, chain, token FROM ledger.shard ORDER BY shard;

-- name: wallet
-- Every wallet.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet ORDER BY player;

-- name: mark
-- Every mark.
SELECT player, digest, bet_index, entry, fingerprint, state FROM ledger.mark ORDER BY player, digest, bet_index;

-- name: signpost
-- Every signpost.
SELECT player, seq, received_ms FROM ledger.signpost ORDER BY player, seq;

-- name: script
-- Every script.
SELECT sha, text, registered_ms FROM ledger.script ORDER BY sha;

-- name: commit_durably
-- Wait for the disk, whatever the settings say.
SELECT ledger.commit_durably();
