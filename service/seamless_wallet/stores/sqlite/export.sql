-- name: months
-- The first days of all months in which entries were received.
SELECT DISTINCT strftime('%Y-%m-01', received_ms / 1000, 'unixepoch') FROM entry;

-- name: entry_count
-- How many there are.
SELECT count(*) FROM entry;

-- name: entries
-- Every entry in the order of commits, by its place, and by that of its player's entry before.
SELECT entry.seq * ?1 + entry.shard, entry.shard, entry.seq, entry.epoch, entry.player,
  coalesce(before.seq * ?1 + before.shard, 0), entry.kind, entry.provider, entry.transaction_id, entry.game_no,
  entry.received_ms, entry.version, entry.balance, entry.debt, entry.balance_delta, entry.debt_delta, entry.effects,
  entry.payload, entry.chain
FROM entry LEFT JOIN entry AS before ON before.id = entry.previous ORDER BY entry.id;

-- name: shard
-- Where each shard stands.
SELECT shard, epoch, seq, chain, token FROM shard ORDER BY shard;

-- name: wallet
-- Every wallet.
SELECT player, user_id, currency, status, version, seq, balance, debt, sessions FROM wallet ORDER BY player;

-- name: mark
-- Every mark, by the place of its entry, and the fingerprint of an event, which a function takes from the payload. Two
-- walks are merged: nothing is sorted in memory.
SELECT mark.player, mark.digest, mark.bet_index, entry.seq * ?1 + entry.shard,
  CASE mark.bet_index WHEN '' THEN payload_fingerprint(entry.payload) END, mark.state
FROM mark LEFT JOIN entry ON entry.id = mark.entry WHERE mark.open = 0
UNION ALL
SELECT mark.player, mark.digest, mark.bet_index, entry.seq * ?1 + entry.shard, NULL, mark.state
FROM mark LEFT JOIN entry ON entry.id = mark.entry WHERE mark.open = 1
ORDER BY 1, 2, 3;

-- name: signpost
-- Every signpost.
SELECT player, seq, received_ms FROM signpost ORDER BY player, seq;

-- name: script
-- Every script.
SELECT sha, text, registered_ms FROM script ORDER BY sha;
