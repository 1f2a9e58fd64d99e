"""The ledger in SQL. Everything above it is written against `seamless_wallet.ledger.ports`.

The history of calls and the audit log are in `sqlite_calls` and `sqlite_actions`. A backend is a folder (`sqlite`,
`postgres`); what every backend shares stands beside it: rows made of entries (`rows`), whether entries follow
(`shard_heads`, `planning`), the checks of `wallet verify` (`audit`), and SQL kept in `.sql` files (`sql_files`). Their
errors are those of the port. A store checks that entries follow from what it holds, and knows no Redis, no provider and
no setting.
"""
