-- What the role `wallet` may do with the tables of the ledger and of the history of calls. Run it after `wallet init`, as
-- the owner or a superuser. It is one transaction: the service may run meanwhile, and never has fewer rights than it
-- needs.
BEGIN;
REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM wallet;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO wallet;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger TO wallet;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO wallet;

-- Added, and never changed.
GRANT INSERT ON ledger.entry, ledger.signpost, ledger.writer, ledger.script TO wallet;

-- What entries come to. `wallet verify` derives it from them again.
GRANT INSERT ON ledger.wallet, ledger.mark TO wallet;
GRANT UPDATE (status, version, seq, balance, debt, sessions) ON ledger.wallet TO wallet;
GRANT UPDATE (state) ON ledger.mark TO wallet;

-- Who writes, and how far it is.
GRANT UPDATE (epoch, seq, month, chain, run_id, replid, token, nonce) ON ledger.shard TO wallet;
GRANT UPDATE (nonce, expires) ON ledger.lease TO wallet;
GRANT INSERT, UPDATE, DELETE ON ledger.presence TO wallet;

-- The history of calls: no ledger, so what is erased is gone. Partitions are made and dropped by its functions.
REVOKE ALL ON ALL TABLES IN SCHEMA calls FROM wallet;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA calls FROM PUBLIC;
GRANT USAGE ON SCHEMA calls TO wallet;
GRANT EXECUTE ON FUNCTION calls.add_days(bigint[]), calls.prune(bigint, bigint) TO wallet;
GRANT SELECT, INSERT, DELETE ON calls.call, calls.batch TO wallet;
GRANT UPDATE (acknowledged_ms, note) ON calls.call TO wallet;
GRANT SELECT ON calls.version TO wallet;
COMMIT;
