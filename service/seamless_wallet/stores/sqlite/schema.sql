-- The ledger's tables as they are after all migrations. Money is an integer number of minor units within ±(2^53 - 1).
--
-- What a player does lands on few pages: entries are appended, and everything else is found by the player's number.

-- The one row that says which ledger this is, and the form of payload that its writers read at least.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  uuid TEXT NOT NULL,
  shards INTEGER NOT NULL CHECK (shards > 0),
  schema_version INTEGER NOT NULL,
  payload_version INTEGER NOT NULL CHECK (payload_version > 0)
) STRICT;

-- Decimal digits of each currency's minor unit.
CREATE TABLE currency (
  name TEXT PRIMARY KEY,
  scale INTEGER NOT NULL CHECK (scale BETWEEN 0 AND 8)
) STRICT, WITHOUT ROWID;

-- Every writer that was ever named. Another nonce that stands in Redis is not of this ledger.
CREATE TABLE writer (
  nonce TEXT PRIMARY KEY CHECK (nonce <> ''),
  named_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The head of each shard: its epoch and the Redis server it runs on, its last entry, that entry's chain link and token,
-- and the nonce of its present writer.
CREATE TABLE shard (
  shard INTEGER PRIMARY KEY CHECK (shard >= 0),
  epoch INTEGER NOT NULL CHECK (epoch >= 0),
  seq INTEGER NOT NULL CHECK (seq >= 0),
  chain BLOB NOT NULL CHECK (length(chain) = 16),
  run_id TEXT NOT NULL,
  replid TEXT NOT NULL,
  token TEXT NOT NULL,
  nonce TEXT NOT NULL
) STRICT;

-- Every Lua script that some process of this ledger may call.
CREATE TABLE script (
  sha TEXT PRIMARY KEY,
  text TEXT NOT NULL,
  registered_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each player after the newest of his entries.
CREATE TABLE wallet (
  player INTEGER PRIMARY KEY, -- seq × shards + shard of the entry that created the player
  user_id TEXT NOT NULL UNIQUE,
  currency TEXT NOT NULL REFERENCES currency (name),
  status TEXT NOT NULL CHECK (status IN ('active', 'blocked')),
  version INTEGER NOT NULL CHECK (version > 0),
  seq INTEGER NOT NULL CHECK (seq > 0),
  balance INTEGER NOT NULL CHECK (balance BETWEEN 0 AND 9007199254740991),
  debt INTEGER NOT NULL CHECK (debt BETWEEN 0 AND 9007199254740991),
  last INTEGER NOT NULL, -- id of the newest entry
  sessions TEXT NOT NULL -- JSON: provider → login_ms, renewed_ms, closed_ms
) STRICT;

CREATE INDEX wallet_currency ON wallet (currency);

CREATE INDEX wallet_owing ON wallet (user_id) WHERE debt > 0;

CREATE INDEX wallet_blocked ON wallet (user_id) WHERE status = 'blocked';

-- The ledger itself, append-only. The legs are player balance_delta, debt -debt_delta, counterparty the rest to zero.
-- What Lua decided stands in the columns from version to effects; those before them repeat what the payload says.
-- A void entry (kind 'void') could not be committed as it was: it moved nothing, its numbers are 0, its effects say why,
-- its payload is [user_id, payload, decided] as they came.
CREATE TABLE entry (
  id INTEGER PRIMARY KEY, -- in the order of commits
  shard INTEGER NOT NULL CHECK (shard >= 0),
  seq INTEGER NOT NULL CHECK (seq > 0),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  player INTEGER NOT NULL,
  previous INTEGER NOT NULL, -- id of the player's entry before; 0 if it is his first
  kind TEXT NOT NULL,
  provider TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  game_no TEXT NOT NULL,
  received_ms INTEGER NOT NULL CHECK (received_ms BETWEEN 0 AND 9007199254740991),
  version INTEGER NOT NULL,
  balance INTEGER NOT NULL,
  debt INTEGER NOT NULL,
  balance_delta INTEGER NOT NULL CHECK (balance_delta BETWEEN -9007199254740991 AND 9007199254740991),
  debt_delta INTEGER NOT NULL CHECK (debt_delta BETWEEN -9007199254740991 AND 9007199254740991),
  effects TEXT NOT NULL,
  payload BLOB NOT NULL, -- the event
  chain BLOB NOT NULL CHECK (length(chain) = 16)
) STRICT;

CREATE INDEX entry_void ON entry (shard, seq) WHERE kind = 'void';

CREATE TRIGGER entry_never_changes BEFORE UPDATE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TRIGGER entry_never_goes BEFORE DELETE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

-- Every 64th entry of a player, so that a time or a seq is found without walking all entries after it.
CREATE TABLE signpost (
  player INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  entry INTEGER NOT NULL,
  PRIMARY KEY (player, seq)
) STRICT, WITHOUT ROWID;

-- What must never happen twice, and what it has come to: every event, and every bet with its state. Both in one tree, a
-- player's rows side by side, but for bets that are open: they are few pages, which the next commits change again.
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

-- For people. Amounts are in major units, times in UTC.

CREATE VIEW player_view AS
SELECT wallet.user_id, wallet.currency, wallet.status,
  printf('%.' || scale || 'f', balance / CAST('1e' || scale AS REAL)) AS balance,
  printf('%.' || scale || 'f', debt / CAST('1e' || scale AS REAL)) AS debt,
  wallet.version AS entries, wallet.player
FROM wallet JOIN currency ON currency.name = wallet.currency;

CREATE VIEW entry_view AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', entry.received_ms / 1000.0, 'unixepoch') AS received, wallet.user_id,
  entry.provider, entry.kind, entry.transaction_id, entry.game_no, wallet.currency,
  printf('%.' || scale || 'f', balance_delta / CAST('1e' || scale AS REAL)) AS balance_delta,
  printf('%.' || scale || 'f', debt_delta / CAST('1e' || scale AS REAL)) AS debt_delta,
  printf('%.' || scale || 'f', entry.balance / CAST('1e' || scale AS REAL)) AS balance,
  printf('%.' || scale || 'f', entry.debt / CAST('1e' || scale AS REAL)) AS debt,
  entry.effects, entry.shard, entry.seq, entry.id, entry.player
FROM entry
  JOIN wallet ON wallet.player = entry.player
  JOIN currency ON currency.name = wallet.currency;

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
