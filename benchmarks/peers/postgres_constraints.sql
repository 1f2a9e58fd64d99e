-- The constraints that the ledger's own tables have. PostgreSQL parses each CHECK anew in every statement that writes.
ALTER TABLE wallet
  ADD CHECK (status IN ('active', 'blocked')),
  ADD CHECK (version > 0),
  ADD CHECK (balance BETWEEN 0 AND 9007199254740991);
ALTER TABLE entry
  ADD CHECK (received_ms BETWEEN 0 AND 9007199254740991),
  ADD CHECK (balance_delta BETWEEN -9007199254740991 AND 9007199254740991),
  ADD FOREIGN KEY (player) REFERENCES wallet;
ALTER TABLE bet
  ADD CHECK (bet_index <> ''),
  ADD FOREIGN KEY (player) REFERENCES wallet,
  ADD FOREIGN KEY (entry) REFERENCES entry;
