-- The first ledger. Money is an integer number of minor units within ±(2^53 - 1).

-- The one row that says which ledger this is.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  uuid TEXT NOT NULL,
  shards INTEGER NOT NULL CHECK (shards > 0),
  schema_version INTEGER NOT NULL
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
  user_id TEXT PRIMARY KEY,
  shard INTEGER NOT NULL REFERENCES shard (shard),
  currency TEXT NOT NULL REFERENCES currency (name),
  status TEXT NOT NULL CHECK (status IN ('active', 'blocked')),
  version INTEGER NOT NULL CHECK (version > 0),
  seq INTEGER NOT NULL CHECK (seq > 0),
  balance INTEGER NOT NULL CHECK (balance BETWEEN 0 AND 9007199254740991),
  debt INTEGER NOT NULL CHECK (debt BETWEEN 0 AND 9007199254740991),
  sessions TEXT NOT NULL -- JSON: provider → login_ms, renewed_ms, closed_ms
) STRICT, WITHOUT ROWID;

CREATE INDEX wallet_currency ON wallet (currency);

-- The ledger itself, append-only. The legs are player balance_delta, debt -debt_delta, counterparty the rest to zero;
-- the columns beside payload and decided are copies of what those say. With a rowid: an append goes to the end.
CREATE TABLE entry (
  shard INTEGER NOT NULL,
  seq INTEGER NOT NULL CHECK (seq > 0),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  user_id TEXT NOT NULL REFERENCES wallet (user_id),
  event_digest BLOB NOT NULL UNIQUE CHECK (length(event_digest) = 16),
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
  kind TEXT NOT NULL,
  provider TEXT NOT NULL,
  counterparty TEXT NOT NULL,
  currency TEXT NOT NULL,
  balance_delta INTEGER NOT NULL CHECK (balance_delta BETWEEN -9007199254740991 AND 9007199254740991),
  debt_delta INTEGER NOT NULL CHECK (debt_delta BETWEEN -9007199254740991 AND 9007199254740991),
  round_digest BLOB CHECK (round_digest IS NULL OR length(round_digest) = 16),
  received_ms INTEGER NOT NULL CHECK (received_ms BETWEEN 0 AND 9007199254740991),
  payload BLOB NOT NULL, -- the event
  decided BLOB NOT NULL, -- what Lua decided
  chain BLOB NOT NULL CHECK (length(chain) = 16),
  PRIMARY KEY (shard, seq)
) STRICT;

-- Covers the walk back to the first entry older than a given time.
CREATE INDEX entry_user ON entry (user_id, seq, received_ms);

CREATE INDEX entry_round ON entry (round_digest, seq) WHERE round_digest IS NOT NULL;

CREATE TRIGGER entry_never_changes BEFORE UPDATE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TRIGGER entry_never_goes BEFORE DELETE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

-- Every bet ever placed or tombstoned, with the entry that did it first, and its state after the newest entry about it.
CREATE TABLE bet (
  bet_digest BLOB PRIMARY KEY CHECK (length(bet_digest) = 16),
  shard INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  state TEXT NOT NULL, -- as in seamless_wallet/ledger/bets.py
  FOREIGN KEY (shard, seq) REFERENCES entry (shard, seq)
) STRICT, WITHOUT ROWID;

-- How many bets of a round are open.
CREATE TABLE round (
  round_digest BLOB PRIMARY KEY CHECK (length(round_digest) = 16),
  user_id TEXT NOT NULL REFERENCES wallet (user_id),
  open_bets INTEGER NOT NULL CHECK (open_bets >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX round_open ON round (user_id) WHERE open_bets > 0;
