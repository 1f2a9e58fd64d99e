"""The history of calls in a SQLite file of its own, beside the ledger: never in it, so that it can be full or gone.

Whoever opens the file makes it. The admin process collects the batches that workers leave, and deletes what is too old
or too much. `calls_store` is the asynchronous face, `calls_file` a connection, `collection` how batches become rows,
`questions` what people ask, `retention` what is deleted.
"""

from seamless_wallet.stores.sqlite_calls.calls_store import SqliteCalls

__all__ = ["SqliteCalls"]
