-- name: try_lock
-- Be the one who archives, for as long as the connection lives.
SELECT pg_try_advisory_lock($1);

-- name: months
-- The months that still have a partition, whether one is being detached, and the present month.
SELECT to_date(right(relname, 7), 'YYYY_MM') AS month, inhdetachpending AS pending,
  date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date AS present
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'ledger.entry'::regclass ORDER BY 1;

-- name: has_table
-- Whether a table is there.
SELECT to_regclass($1) IS NOT NULL;

-- name: now_ms
-- The server's clock.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- name: ends_before
-- Where the shards ended in the months before one.
SELECT shard, epoch, seq, chain FROM ledger.archive_end
WHERE month = (SELECT max(month) FROM ledger.archive WHERE month < $1);

-- name: sums
-- What every provider moved in an archived month.
SELECT currency, provider, balance_delta, debt_delta FROM ledger.archive_sum WHERE month = $1;

-- name: archive
-- What is known of an archived month.
SELECT file, entries, digest FROM ledger.archive WHERE month = $1;

-- name: close_month
-- No entry of any shard gets an earlier month any more.
SELECT ledger.close_month($1);

-- name: head_seqs
-- How far each shard is.
SELECT shard, seq FROM ledger.shard;

-- name: open_bets
-- Open bets whose entries are at or before the ends of a month: how many, and one of them.
SELECT count(*) OVER (), wallet.user_id, mark.bet_index, mark.entry
FROM ledger.mark JOIN ledger.wallet ON wallet.player = mark.player
WHERE mark.state ^@ 'O' AND mark.entry <= ($1::bigint[])[mark.entry % cardinality($1::bigint[]) + 1]
ORDER BY mark.entry LIMIT 1;

-- name: marks
-- All marks, player by player, with who he is.
SELECT mark.player, wallet.user_id, wallet.currency, mark.digest, mark.bet_index, mark.entry, mark.fingerprint, mark.state
FROM ledger.mark JOIN ledger.wallet ON wallet.player = mark.player ORDER BY mark.player;

-- name: set_marks
-- What the archived marks of players come to.
UPDATE ledger.closing SET marks = m.marks FROM unnest($1::bigint[], $2::uuid[]) AS m (player, marks)
WHERE closing.player = m.player;

-- name: insert_archive
-- A month is archived.
INSERT INTO ledger.archive (month, file, entries, digest, archived_ms)
VALUES ($1, $2, $3, $4, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);

-- name: insert_ends
-- Where its shards ended.
INSERT INTO ledger.archive_end (month, shard, epoch, seq, chain, archived_at)
SELECT $1, * FROM unnest($2::integer[], $3::integer[], $4::bigint[], $5::uuid[], $6::bigint[]);

-- name: commit_durably
-- Wait for the disk, whatever the settings say.
SELECT ledger.commit_durably();

-- name: transaction
-- The number of this transaction.
SELECT pg_current_xact_id()::xid::text;

-- name: old_snapshots
-- Transactions that may not see what a transaction has committed.
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
  AND age(backend_xmin) >= age($1::text::xid);

-- name: newest
-- When the newest entry of a month was received.
SELECT max(received_ms) FROM {partition};

-- name: entry_count
-- How many entries a month has.
SELECT count(*) FROM {partition};

-- name: last_seqs
-- The last entry of each shard in a month.
SELECT (id % $1::integer)::integer, max(id / $1::integer) FROM {partition} GROUP BY 1;

-- name: rows
-- The entries of a month, by place, with what their players' wallets say.
SELECT entry.*, wallet.user_id, wallet.currency FROM {partition} AS entry
  LEFT JOIN ledger.wallet ON wallet.player = entry.player
ORDER BY entry.id;

-- name: by_player
-- Those that count, player by player.
SELECT entry.*, wallet.user_id, wallet.currency FROM {partition} AS entry JOIN ledger.wallet ON wallet.player = entry.player
WHERE entry.kind <> 'void' ORDER BY entry.player, entry.id;

-- name: set_closings
-- What some players have come to: the last entry of each in a month, with his status and sessions.
INSERT INTO ledger.closing
SELECT entry.*, c.status, c.sessions, '00000000-0000-0000-0000-000000000000'
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS c (id, status, sessions)
  JOIN {partition} AS entry ON entry.id = c.id
ON CONFLICT (player) DO UPDATE SET (
  id, previous, received_ms, version, balance, debt, balance_delta, debt_delta, epoch, month, chain, kind, provider,
  transaction_id, game_no, effects, payload, status, sessions
) = ROW (
  excluded.id, excluded.previous, excluded.received_ms, excluded.version, excluded.balance, excluded.debt,
  excluded.balance_delta, excluded.debt_delta, excluded.epoch, excluded.month, excluded.chain, excluded.kind,
  excluded.provider, excluded.transaction_id, excluded.game_no, excluded.effects, excluded.payload, excluded.status,
  excluded.sessions
);

-- name: insert_sums
-- What every provider moved in a month.
INSERT INTO ledger.archive_sum
SELECT $1, wallet.currency, entry.provider, sum(entry.balance_delta), sum(entry.debt_delta)
FROM {partition} AS entry JOIN ledger.wallet ON wallet.player = entry.player GROUP BY 2, 3;

-- name: detach
-- Take a month out of the table, while everybody goes on.
ALTER TABLE ledger.entry DETACH PARTITION {partition} CONCURRENTLY;

-- name: finish_detaching
-- The same after it was interrupted.
ALTER TABLE ledger.entry DETACH PARTITION {partition} FINALIZE;

-- name: drop
-- A month that was detached, and whose archive was proven.
DROP TABLE {partition};
