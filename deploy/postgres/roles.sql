-- Two roles: `wallet_owner` makes and migrates the ledger, and `wallet` serves it. The service can add to the ledger, and
-- cannot rewrite it: it may neither change nor remove an entry, nor give itself the right to.
--
-- As a superuser, once (psql asks for both passwords):
--   createdb --template=template0 --encoding=UTF8 wallet
--   psql --dbname=wallet --file=roles.sql
--   \password wallet_owner
--   \password wallet
-- Then as wallet_owner:  WALLET_LEDGER_URL=postgresql://wallet_owner@host/wallet wallet init
-- And again as a superuser, after each `wallet init`:  psql --dbname=wallet --file=grants.sql
-- The service itself:    WALLET_LEDGER_URL=postgresql://wallet@host/wallet wallet up
CREATE ROLE wallet_owner LOGIN;
CREATE ROLE wallet LOGIN;

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO wallet_owner;
GRANT CONNECT ON DATABASE :"DBNAME" TO wallet;
