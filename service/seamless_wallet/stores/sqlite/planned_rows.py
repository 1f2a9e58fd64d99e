"""A planned commit and the tables: what it reads of them, and how its rows are written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet
from seamless_wallet.stores.known import BetIdentity, KnownState
from seamless_wallet.stores.planning import Chained, Plan, plan_commit
from seamless_wallet.stores.rows import StoredWallet
from seamless_wallet.stores.sqlite.reads import read_bet, read_wallet
from seamless_wallet.stores.sqlite.sql import WRITE_SQL


class StateChanged(WalletError, ValueError):
    """A compare-and-swap missed: a wallet or a bet is not what was read, or not there."""


def plan_on(
    connection: sqlite3.Connection, shards: int, chained: Iterable[Chained], known: KnownState | None = None
) -> Plan:
    """The rows of these entries, proven against what is known, or else against what the caller's transaction reads.

    Raises one of INVALID_ENTRY_ERRORS.
    """

    def wallet_of(user_id: str) -> StoredWallet | None:
        return (known and known.wallets.get(user_id)) or read_wallet(connection, user_id)

    def bet_of(key: BetIdentity) -> Bet | None:
        return (known and known.bets.get(key)) or read_bet(connection, key)

    (last_id,) = connection.execute(WRITE_SQL["last_id"]).fetchone()
    return plan_commit(chained, shards, last_id + 1, wallet_of, bet_of)


def write_plan(connection: sqlite3.Connection, plan: Plan) -> None:
    """Write what was planned, over just what it was planned on. Raises StateChanged, or sqlite3.IntegrityError."""
    _insert(connection, "insert_wallet", plan.created_wallets())
    _swap(connection, "update_wallet", plan.changed_wallets())
    _insert(connection, "insert_entry", plan.entries)
    _insert(connection, "insert_event", plan.events)
    bets = plan.bet_rows()
    _insert(connection, "insert_bet", bets.new)
    _swap(connection, "update_bet", bets.changed)
    _insert(connection, "insert_signpost", plan.signposts)


def _insert(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(WRITE_SQL[name], rows)


def _swap(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows and connection.executemany(WRITE_SQL[name], rows).rowcount != len(rows):
        raise StateChanged(f"{name}: a row changed within the transaction")
