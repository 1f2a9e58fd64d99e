"""The connection of a process to the ledger, in whichever database the settings say."""

from __future__ import annotations

from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ports import Clock
from seamless_wallet.settings import Settings
from seamless_wallet.stores import postgres, postgres_calls, sqlite
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.stores.postgres import store as postgres_store
from seamless_wallet.stores.postgres.primary import place_of
from seamless_wallet.stores.postgres.setup import is_made
from seamless_wallet.stores.sqlite import store as sqlite_store


def open_ledger(settings: Settings, readers: int | None = None, *, for_people: bool = False) -> Ledger:
    """The ledger of these settings, read over so many threads or connections: enter it.

    `for_people`: it may show what no standby has yet, and so works while that is away. No player may be told of it.
    Raises StoreError if there is none, or if it contradicts the settings.
    """
    shards, currencies = settings.shards, settings.currencies
    if settings.ledger_server is None:
        threads = readers or sqlite_store.READERS
        return sqlite.SqliteLedger.open(settings.ledger_path, shards, currencies, readers=threads)
    connections = readers or postgres_store.READERS
    return postgres.PostgresLedger.open(
        settings.ledger_server, shards, currencies, readers=connections, replicated=not for_people
    )


def ledger_place(settings: Settings) -> str:
    """Where the ledger is, for messages: without a password."""
    return str(settings.ledger_path) if settings.ledger_server is None else place_of(settings.ledger_server)


def init_ledger(settings: Settings) -> str:
    """Make the ledger, or bring it up to date; returns its UUID. On a server the history of calls, too.

    Raises StoreError.
    """
    if settings.ledger_server is None:
        return sqlite.init(settings.ledger_path, settings.shards, settings.currencies)
    uuid = postgres.init(settings.ledger_server, settings.shards, settings.currencies)
    postgres_calls.init_calls(settings.ledger_server)
    return uuid


def has_ledger(settings: Settings) -> bool:
    """Whether it is there. Raises StoreError if the server cannot be asked."""
    if settings.ledger_server is None:
        return settings.ledger_path.exists()
    return is_made(settings.ledger_server)


async def register_scripts(ledger: Ledger, clock: Clock) -> None:
    """Have the ledger know this program's scripts. The writer loads into Redis what the ledger knows."""
    await ledger.register_scripts({script.sha: script.text for script in load_scripts().values()}, clock.now_ms())
