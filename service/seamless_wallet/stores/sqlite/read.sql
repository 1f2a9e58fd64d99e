-- name: ledger
-- Which ledger this is.
SELECT uuid, shards, schema_version FROM ledger;

-- name: currencies
-- Every currency's scale, and whether a wallet uses it.
SELECT name, scale, EXISTS (SELECT 1 FROM wallet WHERE wallet.currency = currency.name) FROM currency ORDER BY name;

-- name: heads
-- The heads of all shards, by shard number.
SELECT epoch, seq, run_id, replid, nonce FROM shard ORDER BY shard;

-- name: head
-- Where one shard stands.
SELECT epoch, seq FROM shard WHERE shard = ?;

-- name: wallet
-- A player's wallet.
SELECT user_id, currency, status, version, seq, balance, debt, sessions FROM wallet WHERE user_id = ?;

-- name: cutoff
-- Newest entry of a player that is older than a given time; the walk ends at the first one.
SELECT seq FROM entry INDEXED BY entry_user WHERE user_id = ? AND received_ms < ? ORDER BY seq DESC LIMIT 1;

-- name: events_since
-- A player's events after a seq.
SELECT event_digest, fingerprint, seq FROM entry INDEXED BY entry_user WHERE user_id = ? AND seq > ? ORDER BY seq;

-- name: rounds_since
-- All entries of the player's open rounds and of the rounds touched after a seq.
WITH touched (digest) AS (
  SELECT round_digest FROM entry INDEXED BY entry_user WHERE user_id = ?1 AND seq > ?2 AND round_digest IS NOT NULL
  UNION
  SELECT round_digest FROM round INDEXED BY round_open WHERE user_id = ?1 AND open_bets > 0
)
SELECT entry.round_digest, entry.shard, entry.epoch, entry.seq, entry.payload, entry.decided
FROM touched CROSS JOIN entry INDEXED BY entry_round ON entry.round_digest = touched.digest
ORDER BY entry.round_digest, entry.seq;

-- name: bet
-- The state of one bet, by its digest.
SELECT state FROM bet WHERE bet_digest = ?;

-- name: event
-- One event, by its digest.
SELECT event_digest, fingerprint, seq FROM entry WHERE event_digest = ?;

-- name: entries
-- A player's entries before a seq, newest first.
SELECT shard, epoch, seq, payload, decided FROM entry INDEXED BY entry_user
WHERE user_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?;

-- name: trial_balance
-- What every counterparty moved, per currency.
SELECT currency, counterparty, sum(balance_delta), sum(debt_delta) FROM entry GROUP BY currency, counterparty;

-- name: writer
-- Whether a writer of this nonce was named.
SELECT 1 FROM writer WHERE nonce = ?;

-- name: scripts
-- Every registered script.
SELECT sha, text FROM script ORDER BY sha;
