-- What stays of a month whose entries are archived. A month is archived when its row is here: readers leave out what its
-- partition may still have, and go on from the closing figures. So it does not matter to them when that is detached.

-- One row a month, without a gap: months are archived in order.
CREATE TABLE ledger.archive (
  month date PRIMARY KEY,
  file text NOT NULL, -- where it was written to
  entries bigint NOT NULL,
  digest uuid NOT NULL, -- over all rows, as in seamless_wallet/stores/archive_file.py
  archived_ms bigint NOT NULL
);

-- Where the chain of each shard stood at the end of the month, and how far the shard was when the month was archived.
CREATE TABLE ledger.archive_end (
  month date NOT NULL,
  shard integer NOT NULL,
  epoch integer NOT NULL,
  seq bigint NOT NULL,
  chain uuid NOT NULL,
  archived_at bigint NOT NULL, -- seq; what `closing.marks` covers is as of then, in all months' rows
  PRIMARY KEY (month, shard)
);

-- What every provider and the back office moved in the month.
CREATE TABLE ledger.archive_sum (
  month date NOT NULL,
  currency text NOT NULL,
  provider text NOT NULL,
  balance_delta bigint NOT NULL,
  debt_delta bigint NOT NULL,
  PRIMARY KEY (month, currency, provider)
);

-- Each player's newest entry of all archived ones, and what he had come to: from here on his entries are proven.
CREATE TABLE ledger.closing (
  LIKE ledger.entry,
  status text NOT NULL,
  sessions text NOT NULL,
  marks uuid NOT NULL, -- over his marks whose entries are archived, as in seamless_wallet/stores/archived_marks.py
  PRIMARY KEY (player)
);

-- The newest month that is archived. Ask `(SELECT ledger.archived())`: that is asked once, not for each row.
CREATE FUNCTION ledger.archived() RETURNS date STABLE LANGUAGE sql AS $$
  SELECT coalesce(max(month), '-infinity') FROM ledger.archive
$$;

-- From now on no entry of any shard gets an earlier month, whatever the clock says.
CREATE FUNCTION ledger.close_month(next date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ledger.commit_durably();
  PERFORM FROM ledger.shard WHERE month < next ORDER BY shard FOR UPDATE;
  UPDATE ledger.shard SET month = next WHERE month < next;
END $$;

-- Of a bet whose entry is archived neither provider, round nor time are told.
CREATE OR REPLACE VIEW ledger.bet_view AS
SELECT wallet.user_id, entry.provider, entry.game_no, mark.bet_index, mark.state,
  ledger.moment(entry.received_ms) AS placed, mark.player
FROM ledger.mark
  JOIN ledger.wallet ON wallet.player = mark.player
  LEFT JOIN ledger.entry ON entry.id = mark.entry
WHERE mark.state IS NOT NULL;
