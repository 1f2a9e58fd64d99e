"""The history of calls in the ledger's PostgreSQL database: in tables of its own, over connections of its own.

Money never depends on it. The admin process of each machine collects the batches that its workers leave, all into one
history. `calls_tables` makes the tables, `calls_store` is the asynchronous face, `collection` how batches become rows.
"""

from seamless_wallet.stores.postgres_calls.calls_store import PostgresCalls
from seamless_wallet.stores.postgres_calls.calls_tables import init_calls

__all__ = ["PostgresCalls", "init_calls"]
