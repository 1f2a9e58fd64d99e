"""The SQL of this backend, from its `.sql` files, by name."""

from __future__ import annotations

from typing import Final

from seamless_wallet.stores.sql_files import read_migrations, read_queries

SQL_PACKAGE: Final = "seamless_wallet.stores.sqlite"
"""Where the `.sql` files are."""

READ_SQL: Final = read_queries(SQL_PACKAGE, "read.sql")
"""For readers, and for whoever looks before writing."""

WRITE_SQL: Final = read_queries(SQL_PACKAGE, "write.sql")
"""For the writer: its statements, and the look-ups that only a commit needs."""

VERIFY_SQL: Final = read_queries(SQL_PACKAGE, "verify.sql")
"""For `wallet verify`."""

BACKUP_SQL: Final = read_queries(SQL_PACKAGE, "backup.sql")
"""For copies of the ledger."""

EXPORT_SQL: Final = read_queries(SQL_PACKAGE, "export.sql")
"""For a copy of the ledger in another store: entries are named by their places there."""

MIGRATIONS: Final = read_migrations(SQL_PACKAGE)
SCHEMA_VERSION: Final = len(MIGRATIONS)
