-- name: entry_count
-- How much there is to do.
SELECT count(*) FROM entry;

-- name: heads
-- Every shard's end.
SELECT shard, epoch, seq, chain FROM shard;

-- name: by_id
-- Every entry after an id, in the order of commits, with its player.
SELECT entry.*, wallet.user_id FROM entry LEFT JOIN wallet ON wallet.player = entry.player
WHERE entry.id > ? ORDER BY entry.id;

-- name: make_story
-- A temporary table that has every entry that counts, player by player; its pages go to a file if they are many.
CREATE TEMP TABLE story (player INTEGER, id INTEGER, PRIMARY KEY (player, id)) WITHOUT ROWID;

-- name: fill_story
-- Sorted first, so that it is only appended to.
INSERT INTO story SELECT player, id FROM entry WHERE kind <> 'void' ORDER BY player, id;

-- name: by_player
-- Every entry that counts, player by player.
SELECT entry.* FROM story CROSS JOIN entry ON entry.id = story.id ORDER BY story.player, story.id;

-- name: of_player
-- The same of one player.
SELECT entry.* FROM story CROSS JOIN entry ON entry.id = story.id WHERE story.player = ? ORDER BY story.id;

-- name: wallet
-- A player's wallet, by number.
SELECT * FROM wallet WHERE player = ?;

-- name: wallets_without_entries
-- Wallets out of nothing.
SELECT player, user_id, seq FROM wallet
WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.id = wallet.last AND entry.player = wallet.player);

-- name: wallet_totals
-- What all players have and owe.
SELECT currency, sum(balance), sum(debt) FROM wallet GROUP BY currency;

-- name: marks
-- A player's marks from a digest on, below another one.
SELECT open, digest, bet_index, entry, NULL, state FROM mark
WHERE open IN (0, 1) AND player = ? AND digest >= ? AND digest < ?;

-- name: signposts
-- A player's signposts.
SELECT seq, received_ms, entry FROM signpost WHERE player = ? ORDER BY seq;

-- name: marks_of_nobody
-- Marks of players who are not there.
SELECT DISTINCT player FROM mark WHERE NOT EXISTS (SELECT 1 FROM wallet WHERE wallet.player = mark.player);

-- name: signposts_of_nobody
-- Signposts of players who are not there.
SELECT DISTINCT player FROM signpost WHERE NOT EXISTS (SELECT 1 FROM wallet WHERE wallet.player = signpost.player);

-- name: scripts
-- Every registered script.
SELECT sha, text FROM script;

-- name: place
-- Where an entry stands in the chain of its shard.
SELECT shard, epoch, seq, chain FROM entry WHERE id = ?;

-- name: after_id
-- Some entries after an id, in the order of commits, with what their players' wallets say.
SELECT entry.*, wallet.user_id, wallet.currency FROM entry LEFT JOIN wallet ON wallet.player = entry.player
WHERE entry.id > ? ORDER BY entry.id LIMIT ?;

-- name: event_mark
-- The mark of a player's event.
SELECT entry, NULL FROM mark WHERE open = 0 AND player = ? AND digest = ? AND bet_index = '';

-- name: bet_mark
-- The mark of a player's bet, if it has one, and that stands where its state belongs.
SELECT min(entry), min(state) FROM mark WHERE open IN (0, 1) AND player = ? AND digest = ? AND bet_index = ?
GROUP BY player HAVING count(*) = 1 AND min(open) = (min(state) GLOB 'O *');

-- name: signpost
-- A player's signpost at a seq.
SELECT received_ms, entry FROM signpost WHERE player = ? AND seq = ?;

-- name: entry
-- One entry.
SELECT * FROM entry WHERE id = ?;
