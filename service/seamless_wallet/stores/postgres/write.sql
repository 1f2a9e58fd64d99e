-- name: insert_ledger
-- Name the ledger, once.
INSERT INTO ledger.ledger (id, uuid, shards, schema_version, payload_version) VALUES (1, $1, $2, $3, $4);

-- name: set_schema_version
-- After migrations.
UPDATE ledger.ledger SET schema_version = $1;

-- name: insert_shards
-- Shards that have no entries and never had an epoch.
INSERT INTO ledger.shard (shard, epoch, seq, chain, run_id, replid, token, nonce)
SELECT shard, 0, 0, $2, '', '', '', '' FROM generate_series(0, $1::integer - 1) AS shard;

-- name: insert_leases
-- That nobody holds them.
INSERT INTO ledger.lease (shard) SELECT shard FROM ledger.shard;

-- name: insert_currency
-- A currency of the settings.
INSERT INTO ledger.currency (name, scale) VALUES ($1, $2);

-- name: update_currency
-- Another scale for a currency that no wallet uses.
UPDATE ledger.currency SET scale = $2 WHERE name = $1;

-- name: delete_currency
-- A currency that no wallet uses and the settings have no more.
DELETE FROM ledger.currency WHERE name = $1;

-- name: insert_scripts
-- Register scripts.
INSERT INTO ledger.script (sha, text, registered_ms) SELECT sha, text, $3 FROM unnest($1::text[], $2::text[])
  AS s (sha, text)
ON CONFLICT (sha) DO NOTHING;

-- name: add_months
-- Partitions for this month and the two after it; after a rest of any length, or not.
SELECT ledger.add_months($1);

-- name: take_over
-- Name a writer, and make it that of some shards; returns since when the server runs.
SELECT ledger.take_over($1, $2, $3, $4);

-- name: renew_leases
-- Renew, release and take leases; then who holds each shard, and who lives.
SELECT holders, writers FROM ledger.renew_leases($1, $2, $3, $4, $5);

-- name: retire
-- A writer ends.
SELECT ledger.retire($1);

-- name: open_epoch
-- Compare-and-swap the epoch of a shard.
SELECT ledger.open_epoch($1, $2, $3, $4, $5, $6, $7, $8);

-- name: chain_ends
-- Where some shards stand, with chain link and token of their last entries, and their writers.
SELECT shard, epoch, seq, chain, token, nonce FROM ledger.shard WHERE shard = ANY ($1::integer[]);

-- name: stored
-- Entries at some places, with their players' names.
SELECT entry.*, wallet.user_id FROM unnest($1::bigint[]) AS p (id)
  JOIN ledger.entry ON entry.id = p.id LEFT JOIN ledger.wallet ON wallet.player = entry.player;

-- name: states
-- Wallets by user_id, bets by user_id, digest and bet_index, in one snapshot: a row has either.
SELECT wallet.player, wallet.user_id, wallet.currency, wallet.status, wallet.version, wallet.seq, wallet.balance,
  wallet.debt, wallet.sessions, NULL::uuid AS digest, NULL::text AS bet_index, NULL::bigint AS entry,
  NULL::text AS state
FROM unnest($1::text[]) AS w (user_id) JOIN ledger.wallet ON wallet.user_id = w.user_id
UNION ALL
SELECT mark.player, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, mark.digest, mark.bet_index, mark.entry, mark.state
FROM unnest($2::text[], $3::uuid[], $4::text[]) AS b (user_id, digest, bet_index)
  JOIN ledger.wallet ON wallet.user_id = b.user_id
  JOIN ledger.mark ON mark.player = wallet.player AND mark.digest = b.digest AND mark.bet_index = b.bet_index;
