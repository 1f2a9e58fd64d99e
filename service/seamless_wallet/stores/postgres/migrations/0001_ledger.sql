-- The first ledger. Money is an integer number of minor units within ±(2^53 - 1).
--
-- An entry is named by its place, seq × shards + shard, and a player by that of the entry which created him. So nothing
-- has to be counted, and nothing is shared by writers. No table refers to another one, and none has conditions: both
-- cost a writer as much as a row. What they would check is proven before, and again by `wallet verify`.
CREATE SCHEMA ledger;

-- The one row that says which ledger this is, and the form of payload that its writers read at least.
CREATE TABLE ledger.ledger (
  id integer PRIMARY KEY CHECK (id = 1),
  uuid text NOT NULL,
  shards integer NOT NULL CHECK (shards > 0),
  schema_version integer NOT NULL,
  payload_version integer NOT NULL CHECK (payload_version > 0)
);

-- Decimal digits of each currency's minor unit.
CREATE TABLE ledger.currency (
  name text PRIMARY KEY,
  scale integer NOT NULL CHECK (scale BETWEEN 0 AND 8)
);

-- Every writer that was ever named, and the server that named it: another server, or one that was restarted, believes
-- nothing that this writer tells. Another nonce that stands in Redis is not of this ledger.
CREATE TABLE ledger.writer (
  nonce text PRIMARY KEY CHECK (nonce <> ''),
  named_ms bigint NOT NULL,
  system_identifier bigint NOT NULL,
  timeline integer NOT NULL,
  started timestamptz NOT NULL
);

-- The head of each shard: its epoch and the Redis server it runs on, its last entry, that entry's chain link and token,
-- the nonce of its present writer, and the month in which its newest entry was committed.
CREATE TABLE ledger.shard (
  shard integer PRIMARY KEY,
  epoch integer NOT NULL,
  seq bigint NOT NULL,
  month date NOT NULL DEFAULT '-infinity',
  chain uuid NOT NULL,
  run_id text NOT NULL,
  replid text NOT NULL,
  token text NOT NULL,
  nonce text NOT NULL
) WITH (fillfactor = 10);

-- Who holds each shard, and until when if he does not renew it.
CREATE TABLE ledger.lease (
  shard integer PRIMARY KEY,
  nonce text NOT NULL DEFAULT '',
  expires timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);

-- Writers that live, until when if they do not renew it.
CREATE TABLE ledger.presence (
  nonce text PRIMARY KEY,
  expires timestamptz NOT NULL
) WITH (fillfactor = 10);

-- Every Lua script that some process of this ledger may call.
CREATE TABLE ledger.script (
  sha text PRIMARY KEY,
  text text NOT NULL,
  registered_ms bigint NOT NULL
);

-- Each player after the newest of his entries.
CREATE TABLE ledger.wallet (
  player bigint NOT NULL, -- place of the entry that created the player
  version bigint NOT NULL,
  seq bigint NOT NULL, -- of the newest entry
  balance bigint NOT NULL,
  debt bigint NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  currency text NOT NULL,
  status text NOT NULL,
  sessions text NOT NULL, -- JSON: provider → login_ms, renewed_ms, closed_ms
  PRIMARY KEY (player)
) WITH (fillfactor = 50);

CREATE UNIQUE INDEX wallet_user_id ON ledger.wallet (user_id);

CREATE INDEX wallet_currency ON ledger.wallet (currency);

CREATE INDEX wallet_owing ON ledger.wallet (user_id) WHERE debt > 0;

CREATE INDEX wallet_blocked ON ledger.wallet (user_id) WHERE status = 'blocked';

-- The ledger itself, append-only, by the month in which a shard's entries were committed. The legs are player
-- balance_delta, debt -debt_delta, counterparty the rest to zero. What Lua decided stands in the columns version to
-- debt_delta, and effects; kind, transaction_id, game_no and received_ms repeat what the payload says. A void entry
-- (kind 'void') could not be committed as it was: it moved nothing, its numbers are 0, its effects say why, its payload
-- is [user_id, payload, decided] as they came.
CREATE TABLE ledger.entry (
  id bigint NOT NULL, -- its place
  player bigint NOT NULL,
  previous bigint NOT NULL, -- place of the player's entry before; 0 if it is his first
  received_ms bigint NOT NULL,
  version bigint NOT NULL,
  balance bigint NOT NULL,
  debt bigint NOT NULL,
  balance_delta bigint NOT NULL,
  debt_delta bigint NOT NULL,
  epoch integer NOT NULL,
  month date NOT NULL,
  chain uuid NOT NULL,
  kind text NOT NULL,
  provider text NOT NULL,
  transaction_id text NOT NULL,
  game_no text NOT NULL,
  effects text NOT NULL,
  payload bytea NOT NULL -- the event
) PARTITION BY RANGE (month);

-- One place has one entry: a shard's head moves past it once. So no index has to forbid a second one.
CREATE INDEX entry_id ON ledger.entry (id);

CREATE INDEX entry_void ON ledger.entry (id) WHERE kind = 'void';

CREATE FUNCTION ledger.never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'entries are append-only';
END $$;

CREATE TRIGGER entry_never_changes BEFORE UPDATE OR DELETE ON ledger.entry
FOR EACH ROW EXECUTE FUNCTION ledger.never_changes();

CREATE TRIGGER entry_never_goes BEFORE TRUNCATE ON ledger.entry
FOR EACH STATEMENT EXECUTE FUNCTION ledger.never_changes();

-- Every 64th entry of a player, so that a time or a seq is found without walking all entries after it.
CREATE TABLE ledger.signpost (
  player bigint NOT NULL,
  seq bigint NOT NULL,
  received_ms bigint NOT NULL,
  PRIMARY KEY (player, seq)
);

-- What must never happen twice, and what it has come to: every event, and every bet with its state. Both in one tree,
-- a player's rows side by side. It is never split by months: what is older is a duplicate, too.
CREATE TABLE ledger.mark (
  player bigint NOT NULL,
  entry bigint NOT NULL, -- place of the event's entry, or of the one that placed or tombstoned the bet
  digest uuid NOT NULL, -- of the event, or of the bet's round
  fingerprint uuid, -- of an event
  bet_index text COLLATE "C" NOT NULL, -- '' for an event
  state text COLLATE "C", -- of a bet: as in seamless_wallet/ledger/bets.py
  PRIMARY KEY (player, digest, bet_index)
) WITH (fillfactor = 90);

-- Bets that are open.
CREATE INDEX mark_open ON ledger.mark (player) WHERE state ^@ 'O';

-- ------------------------------------------------------------------ what writers call

-- The server that answers: its cluster, how often it was promoted, and since when it runs.
CREATE FUNCTION ledger.server(OUT system_identifier bigint, OUT timeline integer, OUT started timestamptz)
STABLE LANGUAGE sql AS $$
  SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer,
    pg_postmaster_start_time()
  FROM pg_control_system()
$$;

-- Each of the following is called in a statement of its own, outside of any transaction: locks begin when all of it has
-- arrived, so no client can stop while it holds them. A server's setting, or that of a role, may have turned waiting for
-- the disk off; whoever commits money turns it on again.
CREATE FUNCTION ledger.commit_durably() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;

-- The partition of the month that begins then, unless it is there. It belongs to who calls.
CREATE FUNCTION ledger.add_month(first date) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  name text := 'entry_' || to_char(first, 'YYYY_MM');
BEGIN
  IF to_regclass('ledger.' || name) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.add_month'));
    IF to_regclass('ledger.' || name) IS NULL THEN
      EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.entry)', name);
      EXECUTE format('ALTER TABLE ledger.entry ATTACH PARTITION ledger.%I FOR VALUES FROM (%L) TO (%L)',
        name, first, (first + interval '1 month')::date);
    END IF;
  END IF;
END $$;

-- Partitions for this month and the two after it. Any process may call it; it runs with the owner's rights. The months of
-- a shard never go back: a clock that is far ahead would name them for ever. So it is believed only if its months are
-- there, if the newest entries are not much older, or if the owner says so, after a long rest.
CREATE FUNCTION ledger.add_months(rested boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  this_month date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
  newest date;
BEGIN
  SELECT max(month) INTO newest FROM ledger.shard WHERE isfinite(month);
  IF to_regclass('ledger.entry_' || to_char(this_month, 'YYYY_MM')) IS NULL
    AND this_month > newest + interval '2 months' AND NOT rested
  THEN
    RAISE EXCEPTION 'the newest entries are of %, and the server''s clock says %: set the clock; or, if nothing was '
      'committed for so long, run `wallet init` as the owner of the tables', to_char(newest, 'YYYY-MM'),
      to_char(this_month, 'YYYY-MM') USING ERRCODE = 'WL006';
  END IF;
  FOR ahead IN 0..2 LOOP
    PERFORM ledger.add_month((this_month + make_interval(months => ahead))::date);
  END LOOP;
END $$;

-- Name a writer, and make it that of these shards. `before`: the nonce that the same process had until now.
CREATE FUNCTION ledger.take_over(nonce_ text, before text, shards integer[], named_ms_ bigint)
RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
  here record;
BEGIN
  PERFORM ledger.commit_durably();
  SELECT * INTO here FROM ledger.server();
  INSERT INTO ledger.writer VALUES (nonce_, named_ms_, here.system_identifier, here.timeline, here.started);
  PERFORM FROM ledger.lease ORDER BY shard FOR UPDATE;
  PERFORM FROM ledger.shard WHERE shard = ANY (shards) ORDER BY shard FOR UPDATE;
  IF EXISTS (
    SELECT FROM ledger.lease
    WHERE shard = ANY (shards) AND nonce NOT IN ('', before) AND expires > clock_timestamp()
  ) THEN
    RAISE EXCEPTION 'another writer holds a lease' USING ERRCODE = 'WL004';
  END IF;
  UPDATE ledger.lease SET expires = '-infinity' WHERE shard = ANY (shards) AND nonce <> before;
  UPDATE ledger.lease SET nonce = nonce_ WHERE shard = ANY (shards);
  UPDATE ledger.lease SET nonce = '', expires = '-infinity'
  WHERE nonce = before AND before <> '' AND NOT shard = ANY (shards);
  UPDATE ledger.shard SET nonce = nonce_ WHERE shard = ANY (shards);
  UPDATE ledger.presence SET nonce = nonce_ WHERE nonce = before;
  RETURN here.started;
END $$;

-- Renew, release and take leases in one step; then who holds each shard (by shard), and who lives. The clock is the
-- server's. A lease that ends further ahead than its length was given by a clock that was wrong. A shard whose head a
-- commit has locked stays as it is: everybody's leases would wait for that commit, and it may wait for a standby.
CREATE FUNCTION ledger.renew_leases(
  nonce_ text, started timestamptz, length interval, take integer[], release integer[],
  OUT holders text[], OUT writers text[]
) LANGUAGE plpgsql AS $$
DECLARE
  now_ timestamptz;
  idle integer[];
BEGIN
  IF pg_postmaster_start_time() <> started THEN
    RAISE EXCEPTION 'the server was restarted, or is another one' USING ERRCODE = 'WL003';
  END IF;
  PERFORM FROM ledger.lease ORDER BY shard FOR UPDATE;
  now_ := clock_timestamp();
  IF cardinality(take) + cardinality(release) > 0 THEN
    PERFORM ledger.commit_durably();
    SELECT array_agg(shard) INTO idle FROM (
      SELECT shard FROM ledger.shard WHERE shard = ANY (take || release) ORDER BY shard FOR UPDATE SKIP LOCKED
    ) AS locked;
    UPDATE ledger.shard SET nonce = '' WHERE shard = ANY (release) AND shard = ANY (idle) AND nonce = nonce_;
    UPDATE ledger.lease SET nonce = '', expires = '-infinity'
    WHERE shard = ANY (release) AND shard = ANY (idle) AND nonce = nonce_;
    UPDATE ledger.lease SET nonce = nonce_
    WHERE shard = ANY (take) AND shard = ANY (idle) AND (nonce = '' OR expires <= now_ OR expires > now_ + length);
    UPDATE ledger.shard SET nonce = nonce_
    WHERE shard IN (SELECT shard FROM ledger.lease WHERE nonce = nonce_ AND shard = ANY (take) AND shard = ANY (idle))
      AND nonce <> nonce_;
  END IF;
  UPDATE ledger.lease SET expires = now_ + length WHERE nonce = nonce_;
  INSERT INTO ledger.presence VALUES (nonce_, now_ + length)
  ON CONFLICT (nonce) DO UPDATE SET expires = excluded.expires;
  DELETE FROM ledger.presence WHERE expires <= now_ - interval '1 hour' OR expires > now_ + interval '1 day';
  SELECT array_agg(CASE WHEN expires > now_ AND expires <= now_ + length THEN nonce ELSE '' END ORDER BY shard)
  INTO holders FROM ledger.lease;
  SELECT array_agg(nonce ORDER BY nonce) INTO writers
  FROM ledger.presence WHERE expires > now_ AND expires <= now_ + length;
END $$;

-- A writer ends: what it holds is free, and it lives no more. The lease of a shard that a commit has locked expires.
CREATE FUNCTION ledger.retire(nonce_ text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  idle integer[];
BEGIN
  PERFORM ledger.commit_durably();
  PERFORM FROM ledger.lease ORDER BY shard FOR UPDATE;
  SELECT array_agg(shard) INTO idle FROM (
    SELECT shard FROM ledger.shard WHERE nonce = nonce_ ORDER BY shard FOR UPDATE SKIP LOCKED
  ) AS locked;
  UPDATE ledger.shard SET nonce = '' WHERE shard = ANY (idle) AND nonce = nonce_;
  UPDATE ledger.lease SET nonce = '', expires = '-infinity' WHERE nonce = nonce_ AND shard IN (
    SELECT shard FROM ledger.shard WHERE nonce <> nonce_
  );
  DELETE FROM ledger.presence WHERE nonce = nonce_;
END $$;

-- Compare-and-swap the epoch of a shard; its seq, or NULL if the epoch is not `expected` any more.
CREATE FUNCTION ledger.open_epoch(
  nonce_ text, started timestamptz, shard_ integer, expected integer, epoch_ integer, run_id_ text, replid_ text,
  token_ text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  head record;
BEGIN
  IF pg_postmaster_start_time() <> started THEN
    RAISE EXCEPTION 'the server was restarted, or is another one' USING ERRCODE = 'WL003';
  END IF;
  PERFORM ledger.commit_durably();
  SELECT epoch, seq, nonce INTO head FROM ledger.shard WHERE shard = shard_ FOR UPDATE;
  IF NOT FOUND OR head.nonce <> nonce_ THEN
    RAISE EXCEPTION 'another writer is named' USING ERRCODE = 'WL005';
  END IF;
  IF head.epoch <> expected THEN
    RETURN NULL;
  END IF;
  UPDATE ledger.shard SET epoch = epoch_, run_id = run_id_, replid = replid_, token = token_ WHERE shard = shard_;
  RETURN head.seq;
END $$;

-- One transaction of a writer: heads, wallets, entries and marks. Heads, wallets and bets are swapped over just what was
-- read of them; nothing is stored if one of them is not that any more. Returns the month.
--
-- An array has all columns of one type, one row of it for each column. Many arrays of one column cost the writer more.
CREATE FUNCTION ledger.commit_entries(
  nonce_ text, started timestamptz,
  -- heads: what must stand, and what comes after
  head_numbers bigint[], -- shard, epoch, seq, new seq
  head_texts text[], -- token, new token
  head_chains uuid[],
  -- wallets that are new
  new_numbers bigint[], -- player, version, seq, balance, debt
  new_texts text[], -- user_id, currency, status, sessions
  -- wallets: what comes after, and what must stand
  wallet_numbers bigint[], -- version, seq, balance, debt, player, old version, old balance, old debt
  wallet_texts text[], -- status, sessions, user_id
  entry_numbers bigint[], -- id, epoch, player, previous, received_ms, version, balance, debt, balance_delta, debt_delta
  entry_texts text[], -- kind, provider, transaction_id, game_no, effects
  entry_payloads bytea[], entry_chains uuid[],
  -- events and bets that are new
  mark_numbers bigint[], -- player, entry
  mark_texts text[], -- bet_index, state
  mark_digests uuid[], -- digest, fingerprint
  -- bets: what comes after, and what must stand
  bet_players bigint[],
  bet_texts text[], -- state, bet_index, old state
  bet_digests uuid[],
  signposts bigint[] -- player, seq, received_ms
) RETURNS date LANGUAGE plpgsql AS $$
DECLARE
  month_ date;
  swapped integer;
BEGIN
  PERFORM ledger.commit_durably();
  IF pg_postmaster_start_time() <> started THEN
    RAISE EXCEPTION 'the server was restarted, or is another one' USING ERRCODE = 'WL003';
  END IF;
  SELECT greatest(max(month), date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date) INTO month_
  FROM (
    SELECT month FROM ledger.shard WHERE shard = ANY (head_numbers[1:1]) ORDER BY shard FOR UPDATE
  ) AS locked;
  UPDATE ledger.shard AS head
  SET seq = h.new_seq, chain = h.new_chain, token = h.new_token, month = month_
  FROM unnest(head_numbers[1:1], head_numbers[2:2], head_numbers[3:3], head_numbers[4:4], head_texts[1:1],
      head_texts[2:2], head_chains)
    AS h (shard, epoch, seq, new_seq, token, new_token, new_chain)
  WHERE head.shard = h.shard AND head.epoch = h.epoch AND head.seq = h.seq AND head.token = h.token
    AND head.nonce = nonce_;
  GET DIAGNOSTICS swapped = ROW_COUNT;
  IF swapped <> cardinality(head_chains) THEN
    RAISE EXCEPTION 'a head is not what was read' USING ERRCODE = 'WL001';
  END IF;
  IF cardinality(wallet_numbers) > 0 THEN
    UPDATE ledger.wallet AS wallet
    SET status = w.status, version = w.version, seq = w.seq, balance = w.balance, debt = w.debt, sessions = w.sessions
    FROM unnest(wallet_numbers[1:1], wallet_numbers[2:2], wallet_numbers[3:3], wallet_numbers[4:4],
        wallet_numbers[5:5], wallet_numbers[6:6], wallet_numbers[7:7], wallet_numbers[8:8], wallet_texts[1:1],
        wallet_texts[2:2], wallet_texts[3:3])
      AS w (version, seq, balance, debt, player, old_version, old_balance, old_debt, status, sessions, user_id)
    WHERE wallet.player = w.player AND wallet.user_id = w.user_id AND wallet.version = w.old_version
      AND wallet.balance = w.old_balance AND wallet.debt = w.old_debt;
    GET DIAGNOSTICS swapped = ROW_COUNT;
    IF swapped <> cardinality(wallet_numbers[1:1]) THEN
      RAISE EXCEPTION 'a wallet is not what was read' USING ERRCODE = 'WL001';
    END IF;
  END IF;
  IF cardinality(new_numbers) > 0 THEN
    IF NOT (
      SELECT bool_and(currency IN (SELECT name FROM ledger.currency)) FROM unnest(new_texts[2:2]) AS n (currency)
    ) THEN
      RAISE EXCEPTION 'a currency that the ledger has not' USING ERRCODE = 'WL002';
    END IF;
    INSERT INTO ledger.wallet (player, version, seq, balance, debt, user_id, currency, status, sessions)
    SELECT * FROM unnest(new_numbers[1:1], new_numbers[2:2], new_numbers[3:3], new_numbers[4:4], new_numbers[5:5],
      new_texts[1:1], new_texts[2:2], new_texts[3:3], new_texts[4:4]);
  END IF;
  INSERT INTO ledger.entry (id, epoch, player, previous, received_ms, version, balance, debt, balance_delta,
    debt_delta, kind, provider, transaction_id, game_no, effects, payload, chain, month)
  SELECT *, month_ FROM unnest(entry_numbers[1:1], entry_numbers[2:2], entry_numbers[3:3], entry_numbers[4:4],
    entry_numbers[5:5], entry_numbers[6:6], entry_numbers[7:7], entry_numbers[8:8], entry_numbers[9:9],
    entry_numbers[10:10], entry_texts[1:1], entry_texts[2:2], entry_texts[3:3], entry_texts[4:4], entry_texts[5:5],
    entry_payloads, entry_chains);
  INSERT INTO ledger.mark (player, entry, bet_index, state, digest, fingerprint)
  SELECT * FROM unnest(mark_numbers[1:1], mark_numbers[2:2], mark_texts[1:1], mark_texts[2:2], mark_digests[1:1],
    mark_digests[2:2]);
  IF cardinality(bet_players) > 0 THEN
    UPDATE ledger.mark AS mark SET state = b.state
    FROM unnest(bet_players, bet_texts[1:1], bet_texts[2:2], bet_texts[3:3], bet_digests)
      AS b (player, state, bet_index, old_state, digest)
    WHERE mark.player = b.player AND mark.digest = b.digest AND mark.bet_index = b.bet_index
      AND mark.state = b.old_state;
    GET DIAGNOSTICS swapped = ROW_COUNT;
    IF swapped <> cardinality(bet_players) THEN
      RAISE EXCEPTION 'a bet is not what was read' USING ERRCODE = 'WL001';
    END IF;
  END IF;
  IF cardinality(signposts) > 0 THEN
    INSERT INTO ledger.signpost (player, seq, received_ms)
    SELECT * FROM unnest(signposts[1:1], signposts[2:2], signposts[3:3]);
  END IF;
  RETURN month_;
END $$;

SELECT ledger.add_months(rested => true);

-- ------------------------------------------------------------------ for people

-- Amounts are in major units, times in UTC.
CREATE FUNCTION ledger.major(amount bigint, scale integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT round(amount / 10::numeric ^ scale, scale)::text
$$;

CREATE FUNCTION ledger.moment(ms bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT to_char(to_timestamp(ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

CREATE VIEW ledger.player_view AS
SELECT wallet.user_id, wallet.currency, wallet.status, ledger.major(balance, scale) AS balance,
  ledger.major(debt, scale) AS debt, wallet.version AS entries, wallet.player
FROM ledger.wallet JOIN ledger.currency ON currency.name = wallet.currency;

CREATE VIEW ledger.entry_view AS
SELECT ledger.moment(entry.received_ms) AS received, wallet.user_id, entry.provider, entry.kind, entry.transaction_id,
  entry.game_no, wallet.currency, ledger.major(balance_delta, scale) AS balance_delta,
  ledger.major(debt_delta, scale) AS debt_delta, ledger.major(entry.balance, scale) AS balance,
  ledger.major(entry.debt, scale) AS debt, entry.effects, entry.id % ledger.shards AS shard,
  entry.id / ledger.shards AS seq, entry.id, entry.player
FROM ledger.entry
  JOIN ledger.wallet ON wallet.player = entry.player
  JOIN ledger.currency ON currency.name = wallet.currency
  CROSS JOIN ledger.ledger;

CREATE VIEW ledger.bet_view AS
SELECT wallet.user_id, entry.provider, entry.game_no, mark.bet_index, mark.state,
  ledger.moment(entry.received_ms) AS placed, mark.player
FROM ledger.mark
  JOIN ledger.wallet ON wallet.player = mark.player
  JOIN ledger.entry ON entry.id = mark.entry
WHERE mark.state IS NOT NULL;

CREATE VIEW ledger.open_bet_view AS
SELECT wallet.user_id, entry.provider, entry.game_no, mark.bet_index,
  ledger.moment(entry.received_ms) AS placed, mark.player
FROM ledger.mark
  JOIN ledger.wallet ON wallet.player = mark.player
  JOIN ledger.entry ON entry.id = mark.entry
WHERE mark.state ^@ 'O';
