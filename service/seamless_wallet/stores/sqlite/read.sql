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
SELECT state FROM mark WHERE player = ? AND open = 0 AND digest = ? AND bet_index = ?;

-- name: event
-- One event of a player, by its digest.
SELECT mark.digest, mark.fingerprint, entry.seq FROM mark JOIN entry ON entry.id = mark.entry
WHERE mark.player = ? AND mark.open = 0 AND mark.digest = ? AND mark.bet_index = '';

-- name: open_bets
-- A player's open bets, with what became of them: a stake.
SELECT mark.digest, mark.bet_index, bet.state
FROM mark CROSS JOIN mark AS bet
  ON bet.player = mark.player AND bet.open = 0 AND bet.digest = mark.digest AND bet.bet_index = mark.bet_index
WHERE mark.player = ? AND mark.open = 1 LIMIT ?;

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
WHERE mark.player = ? AND mark.open = 0 AND mark.digest = ? AND mark.bet_index = '';

-- name: round
-- The bets of a round, with the entries that placed or tombstoned them.
SELECT bet_index, entry, state FROM mark WHERE player = ? AND open = 0 AND digest = ? AND bet_index <> '';

-- name: open_rounds
-- A player's open bets, with what became of them (a stake), and where they were placed.
SELECT mark.digest, mark.bet_index, bet.state, entry.provider, entry.game_no, entry.received_ms, entry.seq
FROM mark CROSS JOIN mark AS bet
  ON bet.player = mark.player AND bet.open = 0 AND bet.digest = mark.digest AND bet.bet_index = mark.bet_index
CROSS JOIN entry ON entry.id = mark.entry
WHERE mark.player = ? AND mark.open = 1 LIMIT ?;

-- name: left_open
-- Entries that placed a bet which is open, in the order of commits, after one of them; of a round the first one alone.
SELECT mark.entry, mark.player, mark.digest, entry.provider, entry.game_no, entry.received_ms, entry.seq,
  wallet.user_id, wallet.currency
FROM mark INDEXED BY mark_open
  CROSS JOIN entry ON entry.id = mark.entry
  CROSS JOIN wallet ON wallet.player = mark.player
WHERE mark.open = 1 AND mark.entry > ?1 AND (?2 = '' OR entry.provider = ?2) AND NOT EXISTS (
  SELECT 1 FROM mark AS earlier
  WHERE earlier.player = mark.player AND earlier.open = 1 AND earlier.digest = mark.digest
    AND earlier.entry < mark.entry
)
GROUP BY mark.entry ORDER BY mark.entry;

-- name: open_bets_of_round
-- The open bets of a round, with what became of them: a stake.
SELECT mark.bet_index, bet.state
FROM mark CROSS JOIN mark AS bet
  ON bet.player = mark.player AND bet.open = 0 AND bet.digest = mark.digest AND bet.bet_index = mark.bet_index
WHERE mark.player = ? AND mark.open = 1 AND mark.digest = ?;

-- name: count_open_bets
-- How many bets are open, and when the one was received that was placed first; 0 if there is none.
SELECT count, coalesce((SELECT received_ms FROM entry WHERE id = first), 0)
FROM (SELECT count(*) AS count, min(entry) AS first FROM mark INDEXED BY mark_open WHERE open = 1);

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
