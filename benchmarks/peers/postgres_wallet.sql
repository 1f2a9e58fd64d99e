-- PostgreSQL alone: what must never happen twice, every movement, open bets, and one function that takes a bet. Without
-- shards, epochs and the chain of hashes, and leaner than the ledger where it can be: made to be fast. The usual bet is
-- three statements without a look-up of its own; unique indexes find what came before, and only then judge_bet looks.

CREATE TABLE wallet (
  player bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL UNIQUE,
  currency text NOT NULL,
  status text NOT NULL,
  version bigint NOT NULL,
  balance bigint NOT NULL,
  renewed_ms bigint NOT NULL, -- the one provider's session
  closed_ms bigint NOT NULL
) WITH (fillfactor = 20); -- room for updates in place

CREATE TABLE entry (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  player bigint NOT NULL,
  version bigint NOT NULL,
  balance bigint NOT NULL,
  balance_delta bigint NOT NULL,
  received_ms bigint NOT NULL,
  digest uuid NOT NULL UNIQUE, -- of the event: 16 bytes, cheaper than bytea
  fingerprint uuid NOT NULL,
  kind text NOT NULL,
  provider text NOT NULL,
  payload bytea NOT NULL
);

CREATE INDEX entry_player ON entry (player, version);

CREATE TABLE bet (
  round uuid NOT NULL,
  bet_index text NOT NULL,
  player bigint NOT NULL,
  entry bigint NOT NULL,
  stake bigint NOT NULL,
  is_open boolean NOT NULL,
  PRIMARY KEY (round, bet_index)
);

CREATE INDEX bet_open ON bet (player) WHERE is_open;

CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'entries are append-only'; END$$;

CREATE TRIGGER entry_never BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION never();

-- The balance afterwards, or what speaks against it: -1 no player or blocked, -2 no session, -3 another currency,
-- another event of this id or a bet that differs, -4 not enough money. Raises unique_violation when an event or a bet
-- is not new: call judge_bet then.
CREATE FUNCTION take_bet(
  digest_ uuid, fingerprint_ uuid, user_ text, provider_ text, currency_ text, round_ uuid, indexes_ text[],
  stakes_ bigint[], total_ bigint, received_ bigint, session_ bigint, grace_ bigint, payload_ bytea
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE player_ bigint; after_ bigint; version_ bigint; entry_ bigint;
BEGIN
  UPDATE wallet SET balance = balance - total_, version = version + 1,
    renewed_ms = CASE WHEN closed_ms = 0 THEN greatest(renewed_ms, received_) ELSE renewed_ms END
  WHERE user_id = user_ AND status = 'active' AND currency = currency_ AND balance >= total_
    AND renewed_ms + session_ >= received_ AND (closed_ms = 0 OR closed_ms + grace_ >= received_)
  RETURNING player, balance, version INTO player_, after_, version_;
  IF player_ IS NULL THEN
    RETURN judge_bet(digest_, fingerprint_, user_, provider_, currency_, round_, indexes_, stakes_, total_, received_,
      session_, grace_, payload_);
  END IF;
  INSERT INTO entry (player, version, balance, balance_delta, received_ms, digest, fingerprint, kind, provider, payload)
  VALUES (player_, version_, after_, -total_, received_, digest_, fingerprint_, 'bet', provider_, payload_)
  RETURNING id INTO entry_;
  IF cardinality(indexes_) = 1 THEN
    INSERT INTO bet VALUES (round_, indexes_[1], player_, entry_, stakes_[1], true);
  ELSE
    INSERT INTO bet SELECT round_, i, player_, entry_, s, true FROM unnest(indexes_, stakes_) AS u (i, s);
  END IF;
  RETURN after_;
END$$;

-- The same, looking first, with the wallet locked.
CREATE FUNCTION judge_bet(
  digest_ uuid, fingerprint_ uuid, user_ text, provider_ text, currency_ text, round_ uuid, indexes_ text[],
  stakes_ bigint[], total_ bigint, received_ bigint, session_ bigint, grace_ bigint, payload_ bytea
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE w wallet; seen uuid; entry_ bigint; fresh text[]; amounts bigint[]; sum_ bigint; differ boolean;
BEGIN
  SELECT * INTO w FROM wallet WHERE user_id = user_ FOR UPDATE;
  IF NOT FOUND THEN RETURN -1; END IF;
  SELECT fingerprint INTO seen FROM entry WHERE digest = digest_;
  IF FOUND THEN RETURN CASE WHEN seen = fingerprint_ THEN w.balance ELSE -3 END; END IF;
  IF w.currency <> currency_ THEN RETURN -3; END IF;
  SELECT bool_or(bet.stake <> s), array_agg(i) FILTER (WHERE bet.entry IS NULL),
    array_agg(s) FILTER (WHERE bet.entry IS NULL), coalesce(sum(s) FILTER (WHERE bet.entry IS NULL), 0)
  INTO differ, fresh, amounts, sum_
  FROM unnest(indexes_, stakes_) AS u (i, s) LEFT JOIN bet ON bet.round = round_ AND bet.bet_index = i;
  IF differ THEN RETURN -3; END IF;
  IF fresh IS NOT NULL THEN
    IF w.status <> 'active' THEN RETURN -1; END IF;
    IF w.renewed_ms + session_ < received_ OR (w.closed_ms > 0 AND w.closed_ms + grace_ < received_) THEN RETURN -2; END IF;
    IF w.balance < sum_ THEN RETURN -4; END IF;
  END IF;
  UPDATE wallet SET balance = balance - sum_, version = version + 1 WHERE player = w.player;
  INSERT INTO entry (player, version, balance, balance_delta, received_ms, digest, fingerprint, kind, provider, payload)
  VALUES (w.player, w.version + 1, w.balance - sum_, -sum_, received_, digest_, fingerprint_, 'bet', provider_, payload_)
  RETURNING id INTO entry_;
  IF fresh IS NOT NULL THEN
    INSERT INTO bet SELECT round_, i, w.player, entry_, s, true FROM unnest(fresh, amounts) AS u (i, s);
  END IF;
  RETURN w.balance - sum_;
END$$;
