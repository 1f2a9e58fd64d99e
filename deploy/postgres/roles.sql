-- Two roles: `ledger_owner` makes and migrates the ledger, and `wallet` serves it. The service can add to the ledger, and
-- cannot rewrite it: it may neither change nor remove an entry, nor give itself the right to.
--
-- As a superuser, once (psql asks for both passwords):
--   createdb --template=template0 --encoding=UTF8 ledger
--   psql --dbname=ledger --file=roles.sql
--   \password ledger_owner
--   \password wallet
-- Then as ledger_owner:  WALLET_LEDGER_URL=postgresql://ledger_owner@host/ledger wallet init
-- And again as a superuser, after each `wallet init`:  psql --dbname=ledger --file=grants.sql
-- The service itself:    WALLET_LEDGER_URL=postgresql://wallet@host/ledger wallet up
CREATE ROLE ledger_owner LOGIN;
CREATE ROLE wallet LOGIN;

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO ledger_owner;
GRANT CONNECT ON DATABASE :"DBNAME" TO wallet;
