-- The history of calls. An id is the time of the call in epoch milliseconds, shifted by 20 bits, and a number within
-- that millisecond: so the order of the ids is that of time.
CREATE TABLE call (
    id              INTEGER PRIMARY KEY,
    provider        TEXT    NOT NULL,
    peer            TEXT    NOT NULL,
    key_slot        TEXT    NOT NULL,
    event           TEXT    NOT NULL,
    user_id         TEXT    NOT NULL,
    transaction_id  TEXT    NOT NULL,
    game_no         TEXT    NOT NULL,
    code            TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    place           TEXT    NOT NULL,
    problem         TEXT    NOT NULL,
    read_us         INTEGER NOT NULL,
    open_us         INTEGER NOT NULL,
    queue_us        INTEGER NOT NULL,
    redis_us        INTEGER NOT NULL,
    commit_us       INTEGER NOT NULL,
    seal_us         INTEGER NOT NULL,
    request         BLOB    NOT NULL,
    reply           BLOB    NOT NULL,
    request_bytes   INTEGER NOT NULL,
    replay_of       INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    acknowledged_ms INTEGER NOT NULL DEFAULT 0,
    note            TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX call_of_player ON call (user_id) WHERE user_id <> '';
CREATE INDEX call_of_transaction ON call (transaction_id) WHERE transaction_id <> '';
CREATE INDEX call_of_round ON call (game_no) WHERE game_no <> '';
CREATE INDEX call_failed ON call (failed) WHERE failed = 1;

-- Batches whose calls are here, as long as their files are there.
CREATE TABLE batch (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
