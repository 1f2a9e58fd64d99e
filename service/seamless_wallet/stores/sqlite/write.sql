-- name: insert_ledger
-- Name the ledger, once.
INSERT INTO ledger (id, uuid, shards, schema_version) VALUES (1, ?, ?, ?);

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

-- name: present_writer
-- The nonce of a shard's writer.
SELECT nonce FROM shard WHERE shard = ?;

-- name: insert_script
-- Register one script.
INSERT INTO script (sha, text, registered_ms) VALUES (?, ?, ?);

-- name: chain_end
-- Where a shard stands, with chain link and token of its last entry, and its writer.
SELECT epoch, seq, chain, token, nonce FROM shard WHERE shard = ?;

-- name: stored
-- The bytes of entries committed before, to compare with a redelivery.
SELECT seq, epoch, payload, decided FROM entry WHERE shard = ? AND seq BETWEEN ? AND ? ORDER BY seq;

-- name: advance_head
-- Compare-and-swap a shard's head over new entries.
UPDATE shard SET seq = ?, chain = ?, token = ? WHERE shard = ? AND epoch = ? AND seq = ? AND token = ? AND nonce = ?;

-- name: insert_wallet
-- A new player.
INSERT INTO wallet (user_id, shard, currency, status, version, seq, balance, debt, sessions)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_wallet
-- Compare-and-swap a wallet over new entries.
UPDATE wallet SET status = ?, version = ?, seq = ?, balance = ?, debt = ?, sessions = ?
WHERE user_id = ? AND version = ? AND balance = ? AND debt = ?;

-- name: insert_entry
-- One entry.
INSERT INTO entry (shard, seq, epoch, user_id, event_digest, fingerprint, kind, provider, counterparty, currency,
  balance_delta, debt_delta, round_digest, received_ms, payload, decided, chain)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_bet
-- A bet that was placed or tombstoned for the first time.
INSERT INTO bet (bet_digest, shard, seq, state) VALUES (?, ?, ?, ?);

-- name: update_bet
-- Compare-and-swap a bet over new entries.
UPDATE bet SET state = ? WHERE bet_digest = ? AND state = ?;

-- name: open_bets
-- Bets opened in a round that may be new.
INSERT INTO round (round_digest, user_id, open_bets) VALUES (?, ?, ?)
ON CONFLICT (round_digest) DO UPDATE SET open_bets = open_bets + excluded.open_bets;

-- name: close_bets
-- Bets closed in a round that is there.
UPDATE round SET open_bets = open_bets - ? WHERE round_digest = ?;

-- name: event_seq
-- Whether an event is committed.
SELECT seq FROM entry WHERE event_digest = ?;

-- name: bet_seq
-- Whether a bet was placed or tombstoned.
SELECT seq FROM bet WHERE bet_digest = ?;
