"""The ledger in a PostgreSQL database: `init` makes it, `PostgresLedger.open` serves it.

Any number of processes read it, and several write, each its own shards. `store` is the asynchronous face, `connection`
a connection and what its server must be, `connections` who uses which, `commit` the writer's one statement, `reads` and
`history` the questions, `verification` the checks of `wallet verify`, `setup` the beginning of a ledger, `sql` the
statements. What must be decided in SQL is in functions of the database (`migrations`).
"""

from seamless_wallet.stores.postgres.setup import init
from seamless_wallet.stores.postgres.store import PostgresLedger

__all__ = ["PostgresLedger", "init"]
