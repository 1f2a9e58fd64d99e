-- name: ledger
-- Which ledger this is.
SELECT uuid, shards, schema_version FROM ledger;

-- name: has_payload_version
-- Whether the ledger says which form of payload it has: that of the first version does not.
SELECT 1 FROM pragma_table_info('ledger') WHERE name = 'payload_version';

-- name: payload_version
-- The newest form of payload that the entries of this ledger may have.
SELECT payload_version FROM ledger;

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
SELECT player, user_id, currency, status, version, seq, balance, debt, last, sessions FROM wallet WHERE user_id = ?;

-- name: bet
-- The state of one bet, by player, round and bet_index.
SELECT state FROM mark WHERE open IN (0, 1) AND player = ? AND digest = ? AND bet_index = ?;

-- name: event
-- Where a player's event stands, and what tells what it says. No text is read: one that is none would fail all who ask.
SELECT entry.seq, entry.payload, CAST(entry.provider AS BLOB) FROM mark CROSS JOIN entry ON entry.id = mark.entry
WHERE mark.open = 0 AND mark.player = ? AND mark.digest = ? AND mark.bet_index = '';

-- name: open_bets
-- A player's open bets, with what became of them: a stake.
SELECT digest, bet_index, state FROM mark WHERE open = 1 AND player = ? LIMIT ?;

-- name: signpost_at_seq
-- Where the walk through a player's entries may begin that looks for those before a seq.
SELECT entry FROM signpost WHERE player = ? AND seq >= ? ORDER BY seq LIMIT 1;

-- name: signpost_at_time
-- The same for those before a time: the first signpost from which on all entries are surely newer.
SELECT entry FROM signpost WHERE player = ? AND received_ms >= ? ORDER BY seq LIMIT 1;

-- name: story
-- A player's entries before a seq, newest first, from one of his entries on: each leads to the one before it.
WITH RECURSIVE story (id) AS (
  SELECT ?1
  UNION ALL
  SELECT entry.previous FROM story CROSS JOIN entry ON entry.id = story.id WHERE entry.previous > 0
)
SELECT entry.* FROM story CROSS JOIN entry ON entry.id = story.id WHERE entry.seq < ?2;

-- name: event_entry
-- The entry of a player's event.
SELECT entry.* FROM mark CROSS JOIN entry ON entry.id = mark.entry
WHERE mark.open = 0 AND mark.player = ? AND mark.digest = ? AND mark.bet_index = '';

-- name: round
-- The bets of a round, with the entries that placed or tombstoned them.
SELECT bet_index, entry, state FROM mark WHERE open IN (0, 1) AND player = ? AND digest = ? AND bet_index <> '';

-- name: open_rounds
-- A player's open bets, with what became of them (a stake), and where they were placed.
SELECT mark.digest, mark.bet_index, mark.state, entry.provider, entry.game_no, entry.received_ms, entry.seq
FROM mark CROSS JOIN entry ON entry.id = mark.entry
WHERE mark.open = 1 AND mark.player = ? LIMIT ?;

-- name: left_open
-- Entries that placed a bet which is open, in the order of commits, after one of them; of a round the first one alone.
-- The limit is none: without one the order of a part of a join may be left out.
WITH first (entry, player, digest) AS MATERIALIZED (
  SELECT min(entry) AS entry, player, digest FROM mark WHERE open = 1
  GROUP BY player, digest HAVING min(entry) > ?1 ORDER BY 1 LIMIT -1
)
SELECT first.entry, first.player, first.digest, entry.provider, entry.game_no, entry.received_ms, entry.seq,
  wallet.user_id, wallet.currency
FROM first
  CROSS JOIN entry ON entry.id = first.entry
  CROSS JOIN wallet ON wallet.player = first.player
WHERE ?2 = '' OR entry.provider = ?2;

-- name: open_bets_of_round
-- The open bets of a round, with what became of them: a stake.
SELECT bet_index, state FROM mark WHERE open = 1 AND player = ? AND digest = ?;

-- name: count_open_bets
-- How many bets are open, and when the one was received that was placed first; 0 if there is none.
SELECT count, coalesce((SELECT received_ms FROM entry WHERE id = first), 0)
FROM (SELECT count(*) AS count, min(entry) AS first FROM mark WHERE open = 1);

-- name: open_sessions
-- How many sessions of each provider are open, and were renewed after a time.
SELECT session.key, count(*) FROM wallet, json_each(wallet.sessions) AS session
WHERE wallet.sessions <> '{}' AND json_extract(session.value, '$.closed_ms') = 0
  AND json_extract(session.value, '$.renewed_ms') > ?
GROUP BY session.key;

-- name: players
-- Players from one user_id on, but without the second one, below a third.
SELECT * FROM wallet
WHERE user_id >= ?1 AND user_id <> ?2 AND user_id < ?3 AND (?4 = '' OR status = ?4)
ORDER BY user_id LIMIT ?5;

-- name: players_blocked
-- The same of those who are blocked.
SELECT * FROM wallet INDEXED BY wallet_blocked
WHERE status = 'blocked' AND user_id >= ?1 AND user_id <> ?2 AND user_id < ?3 AND ?4 = 'blocked'
ORDER BY user_id LIMIT ?5;

-- name: players_owing
-- The same of those who owe something.
SELECT * FROM wallet INDEXED BY wallet_owing
WHERE debt > 0 AND user_id >= ?1 AND user_id <> ?2 AND user_id < ?3 AND (?4 = '' OR status = ?4)
ORDER BY user_id LIMIT ?5;

-- name: backwards
-- The entries of a shard, newest first.
SELECT entry.*, wallet.user_id FROM entry LEFT JOIN wallet ON wallet.player = entry.player
WHERE entry.shard = ? ORDER BY entry.id DESC;

-- name: voids
-- The void entries of a shard from a seq on.
SELECT seq FROM entry INDEXED BY entry_void WHERE kind = 'void' AND shard = ? AND seq >= ?;

-- name: trial_balance
-- What every provider and the back office moved, per currency.
SELECT wallet.currency, entry.provider, sum(entry.balance_delta), sum(entry.debt_delta)
FROM entry JOIN wallet ON wallet.player = entry.player GROUP BY wallet.currency, entry.provider;

-- name: writer
-- Whether a writer of this nonce was named.
SELECT 1 FROM writer WHERE nonce = ?;

-- name: scripts
-- Every registered script.
SELECT sha, text FROM script ORDER BY sha;
