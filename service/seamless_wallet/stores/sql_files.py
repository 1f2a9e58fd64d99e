"""SQL kept in `.sql` files: named statements with a line of description each, and scripts of many statements.

-- name: heads
-- The heads of all shards, by shard number.
SELECT epoch, seq FROM shard ORDER BY shard;
"""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files
from importlib.resources.abc import Traversable

_NAME = re.compile(r"^-- name: ([a-z_]+)\n-- (\S.*)\n", re.MULTILINE)


def read_queries(package: str, file: str) -> dict[str, str]:
    """Name → statement of a file of named statements. Raises ValueError for a name twice or a bare statement."""
    before, *parts = _NAME.split(files(package).joinpath(file).read_text("utf-8"))
    if any(line and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{file}: a statement without a name and a description")
    queries: dict[str, str] = {}
    for name, body in zip(parts[0::3], parts[2::3], strict=True):
        if name in queries:
            raise ValueError(f"{file}: {name} is there twice")
        queries[name] = body.strip().removesuffix(";")
    return queries


def read_migrations(package: str) -> list[tuple[int, str]]:
    """(number, text) of `migrations/NNNN_name.sql`, in order. Raises ValueError unless they count up from 1."""
    found: list[Traversable] = [f for f in files(package).joinpath("migrations").iterdir() if f.name.endswith(".sql")]
    numbered = sorted((int(file.name[:4]), file.read_text("utf-8")) for file in found)
    if [number for number, _ in numbered] != list(range(1, len(numbered) + 1)):
        raise ValueError(f"{package}: the migrations are not numbered 1, 2, 3 …")
    return numbered


def statements(script: str) -> list[str]:
    """The statements of a script, triggers whole. `executescript` is no use: it commits the open transaction.

    Raises ValueError if the last one has no end.
    """
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        if not pending and (not line.strip() or line.startswith("--")):
            continue
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    if pending:
        raise ValueError(f"an unfinished statement: {pending.strip()[:60]}")
    return found
