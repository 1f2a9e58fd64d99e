-- What an event says is in its entry: a mark does not repeat it. So more of a player's marks fit into a page.
DROP VIEW bet_view;
DROP VIEW open_bet_view;
ALTER TABLE mark RENAME TO mark_of_version_3;

CREATE TABLE mark (
  open INTEGER NOT NULL, -- 1: a bet that is open
  player INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 16), -- of the event, or of the bet's round
  bet_index TEXT NOT NULL, -- '' for an event
  entry INTEGER NOT NULL, -- id of the event's entry, or of the one that placed or tombstoned the bet
  state TEXT, -- of a bet: as in seamless_wallet/ledger/bets.py
  PRIMARY KEY (open, player, digest, bet_index),
  CHECK ((bet_index = '') = (state IS NULL)),
  CHECK (open = (coalesce(state, '') GLOB 'O *'))
) STRICT, WITHOUT ROWID;

INSERT INTO mark
SELECT open, player, digest, bet_index, entry, state FROM mark_of_version_3 ORDER BY open, player, digest, bet_index;

DROP TABLE mark_of_version_3;

CREATE VIEW bet_view AS
SELECT wallet.user_id, entry.provider, entry.game_no, mark.bet_index, mark.state,
  strftime('%Y-%m-%dT%H:%M:%fZ', entry.received_ms / 1000.0, 'unixepoch') AS placed, mark.player
FROM mark
  JOIN wallet ON wallet.player = mark.player
  JOIN entry ON entry.id = mark.entry
WHERE mark.bet_index <> '';

CREATE VIEW open_bet_view AS
SELECT wallet.user_id, entry.provider, entry.game_no, mark.bet_index,
  strftime('%Y-%m-%dT%H:%M:%fZ', entry.received_ms / 1000.0, 'unixepoch') AS placed, mark.player
FROM mark
  JOIN wallet ON wallet.player = mark.player
  JOIN entry ON entry.id = mark.entry
WHERE mark.open = 1;
