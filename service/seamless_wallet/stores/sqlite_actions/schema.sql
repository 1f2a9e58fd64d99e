-- The audit log. An id is the time of the action in epoch milliseconds, shifted by 20 bits, or the next free one: so the
-- order of the ids is that in which actions were recorded.
CREATE TABLE action (
    id         INTEGER PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    peer       TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    method     TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    parameters TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;

CREATE TABLE outcome (
    id       INTEGER PRIMARY KEY REFERENCES action,
    ended_ms INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    problem  TEXT    NOT NULL,
    answer   TEXT    NOT NULL
) STRICT;

CREATE INDEX action_of_actor ON action (actor, id);
CREATE INDEX action_of_player ON action (user_id, id) WHERE user_id <> '';
CREATE INDEX action_of_kind ON action (action, id);

CREATE TRIGGER action_is_kept BEFORE UPDATE ON action BEGIN
    SELECT RAISE(ABORT, 'what is recorded is never changed');
END;

CREATE TRIGGER outcome_is_kept BEFORE UPDATE ON outcome BEGIN
    SELECT RAISE(ABORT, 'what is recorded is never changed');
END;
