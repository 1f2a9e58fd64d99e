-- name: entry_count
-- How much there is to do.
SELECT count(*) FROM ledger.entry WHERE month > (SELECT ledger.archived());

-- name: ends
-- Where the archived entries of each shard end, and how far it was when they were archived.
SELECT shard, epoch, seq, chain, archived_at FROM ledger.archive_end WHERE month = (SELECT ledger.archived());

-- name: heads
-- Every shard's end.
SELECT shard, epoch, seq, chain FROM ledger.shard;

-- name: by_id
-- Every entry, by place, with its player.
SELECT entry.*, wallet.user_id FROM ledger.entry LEFT JOIN ledger.wallet ON wallet.player = entry.player
WHERE entry.month > (SELECT ledger.archived()) ORDER BY entry.id;

-- name: by_player
-- Every entry that counts, player by player.
SELECT * FROM ledger.entry WHERE kind <> 'void' AND month > (SELECT ledger.archived()) ORDER BY player, id;

-- name: of_player
-- The same of one player.
SELECT * FROM ledger.entry WHERE player = $1 AND kind <> 'void' AND month > (SELECT ledger.archived()) ORDER BY id;

-- name: wallet
-- A player's wallet, by number.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet WHERE player = $1;

-- name: wallets
-- The same of several players.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM ledger.wallet
WHERE player = ANY ($1::bigint[]);

-- name: closings
-- What some players had come to when their last entry was archived.
SELECT * FROM ledger.closing WHERE player = ANY ($1::bigint[]);

-- name: players_of_archives
-- Players all of whose entries are archived, with their wallets.
SELECT closing.player, wallet.user_id FROM ledger.closing LEFT JOIN ledger.wallet ON wallet.player = closing.player
WHERE wallet.seq IS NULL OR wallet.seq <= closing.id / (SELECT shards FROM ledger.ledger) ORDER BY closing.player;

-- name: wallets_without_entries
-- Wallets out of nothing.
SELECT player, user_id, seq FROM ledger.wallet
WHERE NOT EXISTS (
  SELECT FROM ledger.entry
  WHERE entry.id = wallet.seq * (SELECT shards FROM ledger.ledger) + wallet.player % (SELECT shards FROM ledger.ledger)
    AND entry.player = wallet.player AND entry.month > (SELECT ledger.archived())
) AND NOT EXISTS (SELECT FROM ledger.closing WHERE closing.player = wallet.player);

-- name: wallet_totals
-- What all players have and owe.
SELECT currency, sum(balance)::bigint, sum(debt)::bigint FROM ledger.wallet GROUP BY currency;

-- name: marks
-- A player's marks from a digest on, below another one if that is given.
SELECT (coalesce(state, '') ^@ 'O')::int, digest, bet_index, entry, fingerprint, state FROM ledger.mark
WHERE player = $1 AND digest >= $2 AND ($3::uuid IS NULL OR digest < $3);

-- name: signposts
-- A player's signposts after a seq.
SELECT seq, received_ms FROM ledger.signpost WHERE player = $1 AND seq > $2 ORDER BY seq;

-- name: marks_of_nobody
-- Marks of players who are not there.
SELECT DISTINCT player FROM ledger.mark WHERE NOT EXISTS (SELECT FROM ledger.wallet WHERE wallet.player = mark.player);

-- name: signposts_of_nobody
-- Signposts of players who are not there.
SELECT DISTINCT player FROM ledger.signpost
WHERE NOT EXISTS (SELECT FROM ledger.wallet WHERE wallet.player = signpost.player);

-- name: scripts
-- Every registered script.
SELECT sha, text FROM ledger.script;

-- name: after
-- Some entries of a shard after a seq, in order, with what their players' wallets say.
SELECT entry.*, wallet.user_id, wallet.currency
FROM generate_series($1::bigint, $2::bigint, $3::bigint) AS p (id)
  JOIN ledger.entry ON entry.id = p.id LEFT JOIN ledger.wallet ON wallet.player = entry.player
ORDER BY entry.id;

-- name: entries
-- Entries at some places.
SELECT entry.* FROM unnest($1::bigint[]) AS p (id) JOIN ledger.entry ON entry.id = p.id;

-- name: some_marks
-- Marks of players, by digest and bet_index.
SELECT mark.player, mark.digest, mark.bet_index, mark.entry, mark.fingerprint, mark.state
FROM unnest($1::bigint[], $2::uuid[], $3::text[]) AS m (player, digest, bet_index)
  JOIN ledger.mark ON mark.player = m.player AND mark.digest = m.digest AND mark.bet_index = m.bet_index;

-- name: some_signposts
-- Signposts of players at seqs.
SELECT signpost.player, signpost.seq, signpost.received_ms
FROM unnest($1::bigint[], $2::bigint[]) AS s (player, seq)
  JOIN ledger.signpost ON signpost.player = s.player AND signpost.seq = s.seq;
