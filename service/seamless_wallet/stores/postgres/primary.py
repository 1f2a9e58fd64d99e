"""Connections to the ledger's database, and what their server must be.

One goes to the primary, straight: a pooler between would hand each statement to another backend. A server that does not
keep what it has committed is refused. asyncpg rather than psycopg: it speaks the binary protocol to the event loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import asyncpg

from seamless_wallet.ledger.ports import StoreAway, StoreError
from seamless_wallet.postgres_urls import split_postgres_url
from seamless_wallet.stores.postgres.hosts import NobodyAnswered, first_line, first_of

CONNECT_LIMIT_S: Final = 5.0
KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))
"""A commit has no time-out. So the kernel has to find out within 11 s that a host is gone."""

UNACKNOWLEDGED_LIMIT_MS: Final = 11_000
"""The same for a host that goes while a statement is on its way to it: the kernel sends that again for a quarter of an
hour, and does not look whether the host is alive meanwhile.
"""

BARRIER: Final = "SELECT ledger.commit_durably(), pg_catalog.pg_logical_emit_message(true, 'wallet', '')"
"""Commits nothing but itself. When it returns, the standbys that commits wait for have all that was there before it."""

BARRIER_LIMIT_S: Final = 2.0
"""How long a new connection waits for them."""

CANCEL_LIMIT_S: Final = 1.0
"""How long to tell a server that nobody waits any more."""

VERSION_MIN: Final = 15
LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError, OSError)
"""What a call raises whose connection is gone."""

UNREACHED: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    ValueError,
)
"""What an attempt to connect raises. OSError has the time-out, too."""

NEVER_LET_IN: Final = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, ValueError)
"""Those that no other attempt will change: a wrong user, password or database. The rest passes, as a fail-over does."""

ENDED: Final = frozenset({"57P01", "57P02", "57P03", "25006"})
"""The server ends, starts, or takes no writes any more: another one may be asked."""

ImpossibleRow: TypeAlias = asyncpg.IntegrityConstraintViolationError
"""A row that the tables do not take: it is there already, or lacks what each has."""

SETTINGS: Final = {
    "application_name": "seamless-wallet",
    # A plan is made when tables are small and used when they are large: what is looked for has an index.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    # A role or a database may have others. Time-outs abort commits that take long, and wait for no standby.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "default_transaction_isolation": "read committed",
}
WHOLE_TABLES: Final = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"
"""For a transaction that reads everything there is."""

WITHOUT_LIMITS: Final = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
"""For a transaction within which files are read and written, too."""

POOLED: Final = (
    "is behind a connection pooler: set WALLET_LEDGER_URL to PostgreSQL itself; each process of the wallet keeps "
    "a few connections"
)


class PrimaryConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """One whose `uuid` columns are 16 bytes."""

    __slots__ = ("started", "warnings")

    started: str
    """Since when its server runs: no two servers have that in common."""
    warnings: list[str]
    """What the server has warned of."""


Connection: TypeAlias = PrimaryConnection

_CHECKED: Final = ("fsync", "full_page_writes")


def place_of(url: str) -> str:
    """Host and database of a URL, without user and password: for messages."""
    parts = split_postgres_url(url)
    host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
    return f"{host}{parts.path}"


def is_lost(error: BaseException) -> bool:
    """Whether the connection is of no more use, and another one might be."""
    return isinstance(error, LOST) or getattr(error, "sqlstate", None) in ENDED


@contextmanager
def store_errors(place: str) -> Iterator[None]:
    """Raises StoreError, in one line, for whatever the database and its client raise."""
    try:
        yield
    except StoreError:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise StoreError(f"the ledger {place} failed: {first_line(error)}") from error


async def connect(url: str, *, replicated: bool = False) -> Connection:
    """A connection to the primary, once its server is fit. Raises StoreError.

    A crash shows what had waited for a standby, and cuts every connection. `replicated`: first wait until the standbys
    have all that this one can see. Raises StoreAway if none of them comes.
    """
    place = place_of(url)
    try:
        connection: Connection = await first_of(url, _reach, _abandon, UNREACHED)
    except NobodyAnswered as error:
        cause = error.errors[-1]
        if "unsupported startup parameter" in str(error):
            raise StoreError(f"the ledger {place} {POOLED}") from cause
        passes = not any(isinstance(each, NEVER_LET_IN) for each in error.errors)
        raise (StoreAway if passes else StoreError)(
            f"cannot connect to the ledger {place}: {error}; check WALLET_LEDGER_URL and the server"
        ) from cause
    try:
        _keep_alive(connection)
        with store_errors(place):
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await _check_server(connection, place)
                await connection.set_type_codec(
                    "uuid", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
                )
            if replicated:
                await _wait_for_standbys(connection, place)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _reach(url: str) -> Connection:
    connection: Connection = await asyncpg.connect(
        url,
        timeout=CONNECT_LIMIT_S,
        target_session_attrs="read-write",
        server_settings=SETTINGS,
        connection_class=PrimaryConnection,
    )
    connection.warnings = []
    connection.add_log_listener(_hear)
    return connection


def _hear(connection: Connection, message: Any) -> None:
    if message.severity_en == "WARNING":
        connection.warnings.append(f"{message.message} ({message.sqlstate})")


def _abandon(connection: Connection) -> None:
    connection.terminate()


def _keep_alive(connection: Connection) -> None:
    used: Any = connection._transport.get_extra_info("socket")  # noqa: SLF001 - asyncpg has no option for it
    if used is not None and used.family in {socket.AF_INET, socket.AF_INET6}:
        used.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            used.setsockopt(socket.IPPROTO_TCP, option, value)
        used.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_LIMIT_MS)


async def _check_server(connection: Connection, place: str) -> None:
    """Raises StoreError for a server that loses what it has committed, and for what is no server."""
    rows = await connection.fetch(
        "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY ($1) UNION ALL "
        "SELECT 'backend', pg_catalog.pg_backend_pid()::text UNION ALL "
        "SELECT name, pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings "
        "WHERE name = 'transaction_timeout' UNION ALL "
        "SELECT 'started', pg_catalog.pg_postmaster_start_time()::text UNION ALL "
        "SELECT 'recovery', pg_catalog.pg_is_in_recovery()::text",
        [*_CHECKED, "server_version_num", "server_encoding"],
    )
    found = dict(rows)
    connection.started = found["started"]
    if int(found["backend"]) != connection.get_server_pid():
        raise StoreError(f"the ledger {place} {POOLED}")
    if int(found["server_version_num"]) // 10_000 < VERSION_MIN:
        raise StoreError(f"the server of the ledger {place} is too old; use PostgreSQL {VERSION_MIN} or newer")
    if found["recovery"] != "false":
        raise StoreError(f"the ledger {place} is a standby; set WALLET_LEDGER_URL to the primary")
    for name in _CHECKED:
        if found[name] != "on":
            raise StoreError(
                f"the server of the ledger {place} has {name} = off and would lose what it has committed; "
                "turn it on, and start the server again"
            )
    if found["server_encoding"] != "UTF8":
        raise StoreError(f"the ledger {place} has the encoding {found['server_encoding']}; make the database with UTF8")


async def _wait_for_standbys(connection: Connection, place: str) -> None:
    """Who gives up has the server give up, too: what waits there holds one of its connections until a standby comes."""
    try:
        await connection.execute(BARRIER, timeout=BARRIER_LIMIT_S)
    except (TimeoutError, asyncio.CancelledError) as error:
        with suppress(*UNREACHED):
            await connection.close(timeout=CANCEL_LIMIT_S)  # it sends what cancels the statement first
        if isinstance(error, asyncio.CancelledError):
            raise
        raise StoreAway(
            f"no standby has what the ledger {place} holds: start one of synchronous_standby_names, or do without it"
        ) from error


@contextmanager
def no_warnings(connection: Connection) -> Iterator[None]:
    """Raises StoreError if the server warns of what it has done: its outcome is unknown.

    A commit whose wait for a standby was cancelled returns as if all was well, and says the truth in a warning.
    """
    connection.warnings.clear()
    yield
    if connection.warnings:
        raise StoreError(
            f"the server warns of what it has written, and nobody knows who has it: {connection.warnings[0]}"
        )


async def close_all(connections: list[Connection]) -> None:
    """End connections, whatever state they are in. Nothing of theirs is cancelled on the server."""
    for connection in connections:
        if not connection.is_closed():
            connection.terminate()
    await asyncio.sleep(0)  # their transports close in the loop
