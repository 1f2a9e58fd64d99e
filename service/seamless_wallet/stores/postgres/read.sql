-- name: database_size
-- Bytes of this database.
SELECT pg_database_size(current_database());

-- name: ledger
-- Which ledger this is.
SELECT uuid, shards, schema_version, payload_version FROM ledger.ledger;

-- name: has_ledger
-- Whether the tables are there.
SELECT to_regclass('ledger.ledger') IS NOT NULL;

-- name: currencies
-- Every currency's scale, and whether a wallet uses it.
SELECT name, scale, EXISTS (SELECT FROM ledger.wallet WHERE wallet.currency = currency.name) AS used
FROM ledger.currency ORDER BY name;

-- name: owner
-- Whether this role owns the tables, and may so do with them what it likes.
SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'ledger.entry'::regclass;

-- name: standbys
-- Which standbys a commit waits for.
SELECT current_setting('synchronous_standby_names');

-- name: heads
-- The heads of all shards, by shard number. A writer that another server has named, or this one before its start, is none.
SELECT shard.epoch, shard.seq, shard.run_id, shard.replid, coalesce(writer.nonce, '')
FROM ledger.shard
  LEFT JOIN (ledger.writer JOIN ledger.server() AS here USING (system_identifier, timeline, started))
    ON writer.nonce = shard.nonce
ORDER BY shard.shard;

-- name: head
-- Where one shard stands.
SELECT epoch, seq FROM ledger.shard WHERE shard = $1;

-- name: wallet
-- A player's wallet.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet WHERE user_id = $1;

-- name: wallets
-- The wallets of some players.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet
WHERE user_id = ANY ($1::text[]);

-- name: lookups
-- Events, each by number, shard, user_id and digest, with their wallets, and the bets asked for, each by the number of
-- its event, digest and bet_index. One row an event, and one more for each bet that is there.
SELECT e.number, shard.epoch, shard.seq, wallet.player, wallet.user_id, wallet.currency, wallet.status, wallet.version,
  wallet.seq AS wallet_seq, wallet.balance, wallet.debt, wallet.sessions, event.entry, event.fingerprint,
  NULL::text AS bet_index, NULL::text AS state
FROM unnest($1::integer[], $2::integer[], $3::text[], $4::uuid[]) AS e (number, shard, user_id, digest)
  JOIN ledger.shard ON shard.shard = e.shard
  LEFT JOIN ledger.wallet ON wallet.user_id = e.user_id
  LEFT JOIN ledger.mark AS event
    ON event.player = wallet.player AND event.digest = e.digest AND event.bet_index = ''
UNION ALL
SELECT b.number, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  bet.bet_index, bet.state
FROM unnest($5::integer[], $6::text[], $7::uuid[], $8::text[]) AS b (number, user_id, digest, bet_index)
  JOIN ledger.wallet ON wallet.user_id = b.user_id
  JOIN ledger.mark AS bet
    ON bet.player = wallet.player AND bet.digest = b.digest AND bet.bet_index = b.bet_index;

-- name: events
-- Which of these events, each a user_id and a digest, are there, with the heads: a row of a shard has no digest.
SELECT shard.epoch, shard.seq, shard.run_id, shard.replid, coalesce(writer.nonce, '') AS nonce,
  shard.shard, NULL::uuid AS digest, NULL::uuid AS fingerprint, NULL::bigint AS entry
FROM ledger.shard
  LEFT JOIN (ledger.writer JOIN ledger.server() AS here USING (system_identifier, timeline, started))
    ON writer.nonce = shard.nonce
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, mark.digest, mark.fingerprint, mark.entry
FROM unnest($1::text[], $2::uuid[]) AS e (user_id, digest)
  JOIN ledger.wallet ON wallet.user_id = e.user_id
  JOIN ledger.mark ON mark.player = wallet.player AND mark.digest = e.digest AND mark.bet_index = '';

-- name: open_bets
-- A player's open bets.
SELECT digest, bet_index, state FROM ledger.mark WHERE player = $1 AND state ^@ 'O' LIMIT $2;

-- name: bets
-- Some bets of a player, by round and bet_index.
SELECT mark.digest, mark.bet_index, mark.state
FROM unnest($2::uuid[], $3::text[]) AS b (digest, bet_index)
  JOIN ledger.mark ON mark.player = $1 AND mark.digest = b.digest AND mark.bet_index = b.bet_index;

-- name: signpost_at_seq
-- Where the walk through a player's entries may begin that looks for those before a seq.
SELECT seq FROM ledger.signpost WHERE player = $1 AND seq >= $2 ORDER BY seq LIMIT 1;

-- name: signpost_at_time
-- The same for those before a time: the first signpost from which on all entries are surely newer.
SELECT seq FROM ledger.signpost WHERE player = $1 AND received_ms >= $2 ORDER BY seq LIMIT 1;

-- name: story
-- A player's entries before a place, newest first, from one of his entries on: each leads to the one before it.
WITH RECURSIVE story AS (
  SELECT entry.* FROM ledger.entry WHERE id = $1
  UNION ALL
  SELECT entry.* FROM story CROSS JOIN LATERAL (
    SELECT * FROM ledger.entry WHERE entry.id = story.previous AND story.previous > 0 LIMIT 1
  ) AS entry
)
SELECT * FROM story WHERE id < $2;

-- name: event_entry
-- The entry of a player's event.
SELECT entry.* FROM ledger.mark JOIN ledger.entry ON entry.id = mark.entry
WHERE mark.player = $1 AND mark.digest = $2 AND mark.bet_index = '';

-- name: round
-- The bets of a round, with the places of the entries that placed or tombstoned them.
SELECT bet_index, entry, state FROM ledger.mark WHERE player = $1 AND digest = $2 AND bet_index <> '';

-- name: open_rounds
-- A player's open bets, and where they were placed.
SELECT mark.digest, mark.bet_index, mark.state, entry.provider, entry.game_no, entry.received_ms, entry.id
FROM ledger.mark JOIN ledger.entry ON entry.id = mark.entry
WHERE mark.player = $1 AND mark.state ^@ 'O' LIMIT $2;

-- name: left_open
-- Rounds with open bets that were placed before a time, the first ones first, after one of them: by the first of their
-- open bets. In each shard the last entry that can be as old is found by halves, so that of younger bets only marks are
-- looked at. What is archived is old. Each step is written so that a planner who knows nothing has no choice.
WITH RECURSIVE halves AS (
  SELECT shard, 0::bigint AS low, seq AS high FROM ledger.shard
  UNION ALL
  SELECT shard, CASE WHEN is_old THEN middle ELSE low END, CASE WHEN is_old THEN high ELSE middle - 1 END
  FROM (
    SELECT *, coalesce(
      (SELECT received_ms < $3 FROM ledger.entry WHERE id = middle * $1 + shard LIMIT 1), true
    ) AS is_old
    FROM (SELECT *, (low + high + 1) / 2 AS middle FROM halves WHERE low < high) AS halved
  ) AS judged
), last AS MATERIALIZED (
  SELECT shard, high FROM halves WHERE low >= high
), round AS MATERIALIZED (
  SELECT player, digest, min(entry) AS first FROM ledger.mark WHERE state ^@ 'O' GROUP BY player, digest
), old AS MATERIALIZED (
  SELECT round.* FROM round JOIN last ON last.shard = round.first % $1 WHERE round.first / $1 <= last.high
)
SELECT old.first, old.player, old.digest, placed.provider, placed.game_no, placed.received_ms, owner.user_id,
  owner.currency
FROM old
  CROSS JOIN LATERAL (
    SELECT provider, game_no, received_ms FROM ledger.entry WHERE id = old.first LIMIT 1
  ) AS placed
  CROSS JOIN LATERAL (SELECT user_id, currency FROM ledger.wallet WHERE player = old.player LIMIT 1) AS owner
WHERE placed.received_ms < $2 AND (placed.received_ms, old.first) > ($4, $5)
  AND ($6 = '' OR placed.provider = $6)
ORDER BY placed.received_ms, old.first LIMIT $7;

-- name: open_bets_of_round
-- The open bets of a round.
SELECT bet_index, state FROM ledger.mark WHERE player = $1 AND digest = $2 AND state ^@ 'O';

-- name: count_open_bets
-- How many bets are open in each shard, and the place of the one that was placed first there.
SELECT count(*), min(entry) FROM ledger.mark WHERE state ^@ 'O' GROUP BY entry % $1;

-- name: oldest_received
-- When the first of some entries was received.
SELECT min(received_ms) FROM ledger.entry WHERE id = ANY ($1::bigint[]);

-- name: open_sessions
-- How many sessions of each provider are open, and were renewed after a time.
SELECT session.key, count(*) FROM ledger.wallet, jsonb_each(wallet.sessions::jsonb) AS session
WHERE wallet.sessions <> '{}' AND (session.value ->> 'closed_ms')::bigint = 0
  AND (session.value ->> 'renewed_ms')::bigint > $1
GROUP BY session.key;

-- name: clock
-- The clock of this server, epoch milliseconds.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- name: players
-- Players from one user_id on, but without the second one, below a third.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet
WHERE user_id >= $1 AND user_id <> $2 AND user_id < $3 AND ($4 = '' OR status = $4)
ORDER BY user_id LIMIT $5;

-- name: players_blocked
-- The same of those who are blocked.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet
WHERE status = 'blocked' AND user_id >= $1 AND user_id <> $2 AND user_id < $3 AND $4 = 'blocked'
ORDER BY user_id LIMIT $5;

-- name: players_owing
-- The same of those who owe something.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet
WHERE debt > 0 AND user_id >= $1 AND user_id <> $2 AND user_id < $3 AND ($4 = '' OR status = $4)
ORDER BY user_id LIMIT $5;

-- name: voids
-- The places of void entries from one on, of the shard whose number is left over.
SELECT id FROM ledger.entry WHERE kind = 'void' AND id >= $1 AND id % $2 = $3;

-- name: trial_balance
-- What every provider and the back office moved, per currency; that of archived months by their closing figures.
SELECT currency, provider, sum(balance_delta)::bigint, sum(debt_delta)::bigint
FROM (
  SELECT wallet.currency, entry.provider, sum(entry.balance_delta) AS balance_delta, sum(entry.debt_delta) AS debt_delta
  FROM ledger.entry JOIN ledger.wallet ON wallet.player = entry.player
  WHERE entry.month > (SELECT ledger.archived()) GROUP BY 1, 2
  UNION ALL
  SELECT currency, provider, balance_delta, debt_delta FROM ledger.archive_sum
) AS moved
GROUP BY currency, provider;

-- name: archives
-- Every archived month: its file, and the last seq of a shard in it.
SELECT to_char(archive.month, 'YYYY-MM'), archive.file, archive_end.seq
FROM ledger.archive JOIN ledger.archive_end ON archive_end.month = archive.month AND archive_end.shard = $1
ORDER BY archive.month;

-- name: closing
-- The newest archived entry of a player.
SELECT * FROM ledger.closing WHERE player = $1;

-- name: event_place
-- Where the entry of a player's event is, or was.
SELECT entry FROM ledger.mark WHERE player = $1 AND digest = $2 AND bet_index = '';

-- name: writer
-- Whether a writer of this nonce was named.
SELECT EXISTS (SELECT FROM ledger.writer WHERE nonce = $1);

-- name: scripts
-- Every registered script.
SELECT sha, text FROM ledger.script ORDER BY sha;
