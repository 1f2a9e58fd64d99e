"""The beginning of a ledger, its migrations, and whether it is the one that the settings describe."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec

from seamless_wallet.ledger.entry import CHAIN_START
from seamless_wallet.ledger.payload import PAYLOAD_VERSION
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.ledger_info import NEWER, LedgerInfo, check_currencies, check_shards
from seamless_wallet.stores.postgres.primary import Connection, connect, place_of, store_errors
from seamless_wallet.stores.postgres.sql import MIGRATIONS, READ_SQL, SCHEMA_VERSION, WRITE_SQL

T = TypeVar("T")

INIT_LOCK: Final = 7_230_548_167_312
"""Of the advisory lock within which a ledger is made or migrated: a number of ours."""


class ServerLedgerInfo(LedgerInfo, frozen=True):
    """The same of a ledger in a database."""

    schema_version: int
    payload_version: int
    warnings: tuple[str, ...] = ()
    """What an operator should change; nothing of it keeps the ledger from working."""


def apart(url: str, function: Callable[[Connection], Awaitable[T]]) -> T:
    """Run a function with a connection of its own, and block until it is done. Raises StoreError.

    In a thread: who opens a ledger may or may not be within an event loop.
    """

    async def run() -> T:
        connection = await connect(url)
        try:
            with store_errors(place_of(url)):
                return await function(connection)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1, "ledger-open") as executor:
        return executor.submit(lambda: asyncio.run(run())).result()


def is_made(url: str) -> bool:
    """Whether the database has a ledger, of whatever version. Raises StoreError."""

    async def ask(connection: Connection) -> bool:
        return bool(await connection.fetchval(READ_SQL["has_ledger"]))

    return apart(url, ask)


def init(url: str, shards: int, currencies: Mapping[str, int], *, new_uuid: str | None = None) -> str:
    """Make the ledger, or bring an existing one up to date; returns its UUID. To repeat it changes nothing.

    `currencies`: name → decimal digits. `new_uuid`: of a ledger that is made now; a random one if left out.
    One transaction does all. Raises StoreError if this role may not, or the ledger contradicts the settings.
    """
    if shards < 1 or not currencies:
        raise StoreError("a ledger needs at least one shard and one currency")
    place = place_of(url)

    async def make(connection: Connection) -> str:
        async with connection.transaction():
            return await init_within(connection, place, shards, currencies, new_uuid)

    return apart(url, make)


async def init_within(
    connection: Connection, place: str, shards: int, currencies: Mapping[str, int], new_uuid: str | None = None
) -> str:
    """The same within the caller's transaction. Raises StoreError."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", INIT_LOCK)
    version = await _schema_version(connection)
    if version > SCHEMA_VERSION:
        raise StoreError(f"the ledger {place} {NEWER}")
    for number, script in MIGRATIONS:
        if number > version:
            await connection.execute(script)
    if not version:
        await connection.execute(
            WRITE_SQL["insert_ledger"], new_uuid or str(uuid.uuid4()), shards, SCHEMA_VERSION, PAYLOAD_VERSION
        )
        await connection.execute(WRITE_SQL["insert_shards"], shards, CHAIN_START)
        await connection.execute(WRITE_SQL["insert_leases"])
    elif version < SCHEMA_VERSION:
        await connection.execute(WRITE_SQL["set_schema_version"], SCHEMA_VERSION)
    await connection.execute(WRITE_SQL["add_months"], True)
    info = await read_info(connection)
    _check_payloads(info, place)
    check_shards(info, place, shards)
    await _update_currencies(connection, info, currencies)
    info = await read_info(connection)
    check_currencies(info, place, currencies)
    return info.uuid


async def _update_currencies(connection: Connection, info: ServerLedgerInfo, currencies: Mapping[str, int]) -> None:
    """Make the currencies those of the settings, but for those that wallets use."""
    for name in info.scales.keys() - currencies.keys() - info.used:
        await connection.execute(WRITE_SQL["delete_currency"], name)
    for name, scale in currencies.items():
        if name not in info.scales:
            await connection.execute(WRITE_SQL["insert_currency"], name, scale)
        elif name not in info.used and info.scales[name] != scale:
            await connection.execute(WRITE_SQL["update_currency"], name, scale)


async def _schema_version(connection: Connection) -> int:
    """Migrations that the database has seen; 0 if it is not a ledger yet."""
    if not await connection.fetchval(READ_SQL["has_ledger"]):
        return 0
    version: int = await connection.fetchval(READ_SQL["ledger"], column=2)
    return version


async def read_info(connection: Connection) -> ServerLedgerInfo:
    """What the ledger says of itself, within the caller's transaction."""
    ledger_uuid, shards, schema_version, payload_version = await connection.fetchrow(READ_SQL["ledger"])
    rows = await connection.fetch(READ_SQL["currencies"])
    return ServerLedgerInfo(
        ledger_uuid,
        shards,
        {name: scale for name, scale, _ in rows},
        frozenset(name for name, _, used in rows if used),
        schema_version,
        payload_version,
    )


def _check_payloads(info: ServerLedgerInfo, place: str) -> None:
    if info.payload_version > PAYLOAD_VERSION:
        raise StoreError(f"the ledger {place} {NEWER}")


def read_checked(url: str, shards: int | None, currencies: Mapping[str, int] | None) -> ServerLedgerInfo:
    """Open a ledger once to see that it is there, of this schema, and as the settings say. Raises StoreError."""
    place = place_of(url)

    async def read(connection: Connection) -> ServerLedgerInfo:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            version = await _schema_version(connection)
            if not version:
                raise StoreError(f"there is no ledger at {place}: run `wallet init`")
            if version != SCHEMA_VERSION:
                old = f"has schema {version}, not {SCHEMA_VERSION}; run `wallet init`"
                raise StoreError(f"the ledger {place} {NEWER if version > SCHEMA_VERSION else old}")
            return msgspec.structs.replace(await read_info(connection), warnings=await _warnings(connection, place))

    info = apart(url, read)
    _check_payloads(info, place)
    if shards is not None:
        check_shards(info, place, shards)
    if currencies is not None:
        check_currencies(info, place, currencies)
    return info


async def _warnings(connection: Connection, place: str) -> tuple[str, ...]:
    found = []
    if not await connection.fetchval(READ_SQL["standbys"]):
        found.append(
            f"no standby of the ledger {place} is synchronous: what is committed is lost with the server's disk; "
            "set synchronous_standby_names"
        )
    if await connection.fetchval(READ_SQL["owner"]):
        found.append(
            f"the role that serves the ledger {place} owns its tables, and could rewrite history; "
            "serve it with a role that does not: `wallet docs postgres`"
        )
    return tuple(found)
