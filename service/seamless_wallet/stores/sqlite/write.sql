-- name: insert_ledger
-- Name the ledger, once.
INSERT INTO ledger (id, uuid, shards, schema_version, payload_version) VALUES (1, ?, ?, ?, ?);

-- name: set_schema_version
-- After migrations.
UPDATE ledger SET schema_version = ?;

-- name: insert_shard
-- A shard that has no entries and never had an epoch.
INSERT INTO shard (shard, epoch, seq, chain, run_id, replid, token, nonce) VALUES (?, 0, 0, ?, '', '', '', '');

-- name: insert_currency
-- A currency of the settings.
INSERT INTO currency (name, scale) VALUES (?, ?);

-- name: update_currency
-- Another scale for a currency that no wallet uses.
UPDATE currency SET scale = ? WHERE name = ?;

-- name: delete_currency
-- A currency that no wallet uses and the settings have no more.
DELETE FROM currency WHERE name = ?;

-- name: open_epoch
-- Compare-and-swap the epoch of a shard.
UPDATE shard SET epoch = ?, run_id = ?, replid = ?, token = ? WHERE shard = ? AND epoch = ? AND nonce = ?
RETURNING seq;

-- name: insert_writer
-- Name a writer, once.
INSERT INTO writer (nonce, named_ms) VALUES (?, ?);

-- name: take_shard
-- Make it the present writer of a shard.
UPDATE shard SET nonce = ? WHERE shard = ?;

-- name: release_shard
-- A writer leaves a shard.
UPDATE shard SET nonce = '' WHERE shard = ? AND nonce = ?;

-- name: release_shards
-- A writer leaves all its shards.
UPDATE shard SET nonce = '' WHERE nonce = ?;

-- name: present_writer
-- The nonce of a shard's writer.
SELECT nonce FROM shard WHERE shard = ?;

-- name: insert_script
-- Register one script.
INSERT INTO script (sha, text, registered_ms) VALUES (?, ?, ?);

-- name: chain_ends
-- Where shards stand, from one to another, with chain link and token of their last entries, and their writers.
SELECT shard, epoch, seq, chain, token, nonce FROM shard WHERE shard BETWEEN ? AND ?;

-- name: update_head
-- Compare-and-swap a shard's head over new entries.
UPDATE shard SET seq = ?, chain = ?, token = ? WHERE shard = ? AND epoch = ? AND seq = ? AND token = ? AND nonce = ?;

-- name: last_id
-- The id of the newest entry.
SELECT coalesce(max(id), 0) FROM entry;

-- name: insert_wallet
-- A new player.
INSERT INTO wallet (player, user_id, currency, status, version, seq, balance, debt, last, sessions)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_wallet
-- Compare-and-swap a wallet over new entries.
UPDATE wallet SET status = ?, version = ?, seq = ?, balance = ?, debt = ?, last = ?, sessions = ?
WHERE player = ? AND user_id = ? AND version = ? AND balance = ? AND debt = ?;

-- name: insert_entry
-- One entry.
INSERT INTO entry (id, shard, seq, epoch, player, previous, kind, provider, transaction_id, game_no, received_ms,
  version, balance, debt, balance_delta, debt_delta, effects, payload, chain)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_event
-- An event, once for ever.
INSERT INTO mark (open, player, digest, bet_index, entry) VALUES (0, ?, ?, '', ?);

-- name: insert_bet
-- A bet that was placed or tombstoned for the first time, once for ever: it is neither open nor over.
INSERT INTO mark (open, player, digest, bet_index, entry, state) VALUES (
  CASE WHEN NOT EXISTS (
    SELECT 1 FROM mark WHERE open = (?5 NOT GLOB 'O *') AND player = ?1 AND digest = ?2 AND bet_index = ?3
  ) THEN ?5 GLOB 'O *' END, -- or NULL, which is refused
  ?1, ?2, ?3, ?4, ?5
);

-- name: update_bet
-- Compare-and-swap a bet over new entries.
UPDATE mark SET open = (?1 GLOB 'O *'), state = ?1
WHERE open = (?5 GLOB 'O *') AND player = ?2 AND digest = ?3 AND bet_index = ?4 AND state = ?5;

-- name: insert_signpost
-- A place from which to walk a player's entries.
INSERT INTO signpost (player, seq, received_ms, entry) VALUES (?, ?, ?, ?);
