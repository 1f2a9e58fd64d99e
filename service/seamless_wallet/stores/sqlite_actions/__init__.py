"""The audit log in a SQLite file of its own, beside the ledger. Rows are added, never changed, and go with their time.

`actions_file` is a connection, `actions_store` the asynchronous face: it writes what comes at once in one transaction.
"""

from seamless_wallet.stores.sqlite_actions.actions_store import SqliteActions

__all__ = ["SqliteActions"]
