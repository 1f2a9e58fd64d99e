-- The history of calls to the webhook, apart from the ledger: nothing of the ledger refers to it, or waits for it.
--
-- An id is the time of the call in epoch milliseconds, shifted by 20 bits, and a number within that millisecond: so the
-- order of the ids is that of time. Calls lie in partitions, one for each day (UTC) or a part of a day, by id. What is
-- too old or too much goes by partitions: nothing has to be vacuumed.
CREATE SCHEMA calls;

CREATE TABLE calls.call (
  id bigint NOT NULL,
  provider text NOT NULL,
  peer text NOT NULL,
  key_slot text NOT NULL,
  event text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  transaction_id text COLLATE "C" NOT NULL,
  game_no text COLLATE "C" NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  place text NOT NULL,
  problem text NOT NULL,
  read_us integer NOT NULL,
  open_us integer NOT NULL,
  queue_us integer NOT NULL,
  redis_us integer NOT NULL,
  commit_us integer NOT NULL,
  seal_us integer NOT NULL,
  request bytea NOT NULL,
  reply bytea NOT NULL,
  request_bytes integer NOT NULL,
  replay_of bigint NOT NULL,
  failed smallint NOT NULL, -- 1 or 0
  acknowledged_ms bigint NOT NULL DEFAULT 0,
  note text NOT NULL DEFAULT '',
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE INDEX call_of_player ON calls.call (user_id, id) WHERE user_id <> '';
CREATE INDEX call_of_transaction ON calls.call (transaction_id, id) WHERE transaction_id <> '';
CREATE INDEX call_of_round ON calls.call (game_no, id) WHERE game_no <> '';
CREATE INDEX call_failed ON calls.call (id) WHERE failed = 1;

-- The partitions: the ids from the first one to before the end. Each is the table calls.call_<first_id>.
CREATE TABLE calls.piece (
  first_id bigint PRIMARY KEY,
  end_id bigint NOT NULL
);

-- Batches whose calls are here, as long as their files may be there. A name begins with a time in epoch milliseconds.
CREATE TABLE calls.batch (name text COLLATE "C" PRIMARY KEY);

-- One row: migrations that these tables have seen.
CREATE TABLE calls.version (version integer NOT NULL);

CREATE FUNCTION calls.add_piece(first bigint, until bigint) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TABLE calls.%I PARTITION OF calls.call FOR VALUES FROM (%s) TO (%s)',
    'call_' || first, first, until);
  INSERT INTO calls.piece VALUES (first, until);
END $$;

-- Make room for calls of these times, in epoch milliseconds. Within the collectors' lock.
CREATE FUNCTION calls.add_days(times_ms bigint[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
  day_ms constant bigint := 86400000;
  wanted bigint;
  day bigint;
BEGIN
  FOREACH wanted IN ARRAY times_ms LOOP
    IF NOT EXISTS (SELECT FROM calls.piece WHERE wanted << 20 >= first_id AND wanted << 20 < end_id) THEN
      day := wanted / day_ms * day_ms;
      PERFORM calls.add_piece(
        greatest(day << 20, (SELECT max(end_id) FROM calls.piece WHERE end_id <= wanted << 20)),
        least((day + day_ms) << 20, (SELECT min(first_id) FROM calls.piece WHERE first_id > wanted << 20)));
    END IF;
  END LOOP;
END $$;

-- Delete the partitions before a time in epoch milliseconds, and the oldest ones of too many bytes. A partition with an
-- eighth of the bytes ends with its last call, so that there are always some to choose from. Within the collectors' lock.
CREATE FUNCTION calls.prune(before_ms bigint, bytes_max bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
  part record;
  size bigint;
  total bigint := 0;
  cut bigint;
BEGIN
  FOR part IN SELECT * FROM calls.piece ORDER BY first_id DESC LOOP
    size := pg_total_relation_size(format('calls.%I', 'call_' || part.first_id));
    total := total + size;
    IF part.end_id <= before_ms << 20 OR total > bytes_max THEN
      EXECUTE format('DROP TABLE calls.%I', 'call_' || part.first_id);
      DELETE FROM calls.piece WHERE first_id = part.first_id;
    ELSIF size > bytes_max / 8 THEN
      EXECUTE format('SELECT ((max(id) >> 20) + 1) << 20 FROM calls.%I', 'call_' || part.first_id) INTO cut;
      IF cut < part.end_id THEN
        EXECUTE format('ALTER TABLE calls.call DETACH PARTITION calls.%I', 'call_' || part.first_id);
        EXECUTE format('ALTER TABLE calls.call ATTACH PARTITION calls.%I FOR VALUES FROM (%s) TO (%s)',
          'call_' || part.first_id, part.first_id, cut);
        UPDATE calls.piece SET end_id = cut WHERE first_id = part.first_id;
      END IF;
    END IF;
  END LOOP;
  DELETE FROM calls.batch WHERE name < lpad(before_ms::text, 13, '0');
END $$;
