"""The SQL of this backend, from its `.sql` files, by name."""

from __future__ import annotations

from typing import Final

from seamless_wallet.stores.sql_files import read_migrations, read_queries

SQL_PACKAGE: Final = "seamless_wallet.stores.postgres"
"""Where the `.sql` files are."""

READ_SQL: Final = read_queries(SQL_PACKAGE, "read.sql")
"""For readers, and for whoever looks before writing."""

WRITE_SQL: Final = read_queries(SQL_PACKAGE, "write.sql")
"""For the writer, and for who makes a ledger."""

VERIFY_SQL: Final = read_queries(SQL_PACKAGE, "verify.sql")
"""For `wallet verify`."""

ARCHIVE_SQL: Final = read_queries(SQL_PACKAGE, "archive.sql")
"""For `wallet archive`. `{partition}` stands for a month's table."""

IMPORT_SQL: Final = read_queries(SQL_PACKAGE, "import.sql")
"""For a copy of a ledger from elsewhere."""

MIGRATIONS: Final = read_migrations(SQL_PACKAGE)
SCHEMA_VERSION: Final = len(MIGRATIONS)
