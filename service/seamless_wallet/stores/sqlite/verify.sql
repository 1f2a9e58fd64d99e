-- name: entry_count
-- How much there is to do.
SELECT count(*) FROM entry;

-- name: heads
-- Every shard's end.
SELECT shard, epoch, seq, chain FROM shard;

-- name: by_seq
-- Every entry, by shard and seq.
SELECT shard, seq, epoch, user_id, event_digest, fingerprint, kind, provider, counterparty, currency, balance_delta,
  debt_delta, round_digest, received_ms, payload, decided, chain
FROM entry ORDER BY shard, seq;

-- name: by_user
-- Every entry, player by player.
SELECT user_id, currency, shard, epoch, seq, payload, decided FROM entry INDEXED BY entry_user
ORDER BY user_id, seq;

-- name: by_round
-- Every entry that has a round, round by round.
SELECT round_digest, shard, epoch, seq, payload, decided FROM entry INDEXED BY entry_round
WHERE round_digest IS NOT NULL ORDER BY round_digest, seq;

-- name: wallet_shard
-- In which shard a wallet stands.
SELECT shard FROM wallet WHERE user_id = ?;

-- name: wallets_without_entries
-- Wallets out of nothing.
SELECT shard, seq FROM wallet WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.user_id = wallet.user_id);

-- name: wallet_totals
-- What all players have and owe.
SELECT currency, sum(balance), sum(debt) FROM wallet GROUP BY currency;

-- name: round
-- A round's player and open bets.
SELECT user_id, open_bets FROM round WHERE round_digest = ?;

-- name: rounds_without_entries
-- Rounds out of nothing.
SELECT hex(round_digest) FROM round
WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.round_digest = round.round_digest);

-- name: bet
-- Where a bet was first seen, and its state.
SELECT shard, seq, state FROM bet WHERE bet_digest = ?;

-- name: bets
-- Every bet with the entry it points to.
SELECT bet.bet_digest, bet.shard, bet.seq, entry.epoch, entry.payload, entry.decided
FROM bet LEFT JOIN entry ON entry.shard = bet.shard AND entry.seq = bet.seq;

-- name: scripts
-- Every registered script.
SELECT sha, text FROM script;
