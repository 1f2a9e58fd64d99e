"""Commands that show what the ledger holds of players: entries, rounds, balances. They read its file."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from seamless_wallet.cli.options import Json
from seamless_wallet.cli.printing import stdout_console
from seamless_wallet.commands import PlayerStatus
from seamless_wallet.errors import WalletError, one_line
from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.ledger.fold import Wallet
    from seamless_wallet.stores.ledger import Ledger

Answered = TypeVar("Answered")
Row = dict[str, Any]

UserId = Annotated[str, typer.Argument(help="Id of the player.", show_default=False)]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many, at most.")]
Time = "Moment in ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z; UTC unless it says else."


class NotInLedger(WalletError):
    """What was asked for is not there."""

    exit_status = EXIT_FAILURE


def entries(
    user_id: UserId,
    begin: Annotated[str, typer.Option("--from", help=f"From this moment on. {Time}")] = "",
    end: Annotated[str, typer.Option("--to", help="Before this moment.")] = "",
    before: Annotated[int | None, typer.Option(help="Before this seq: the last one of an earlier page.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show a player's entries, newest first, by the time at which they were received.

    Reads the ledger's file, whether the service is running or not.
    """
    from seamless_wallet.backoffice.responses import entry_json
    from seamless_wallet.ledger.records import EntriesQuery

    query = EntriesQuery(moment_ms(begin, "--from") or 0, moment_ms(end, "--to"), before, limit)

    async def ask(ledger: Ledger) -> list[Row]:
        scale = ledger.scales[(await _player(ledger, user_id)).currency]
        found = [entry_json(entry, scale) for entry in await ledger.history(user_id, query)]
        if len(found) < limit:
            await _tell_archives(ledger, user_id, since=begin)
        return found

    found = _ask(ask)
    _show_entries(found, json=json)


def event(
    provider: Annotated[str, typer.Argument(help="Name of the provider, or @back-office.", show_default=False)],
    user_id: UserId,
    transaction_id: Annotated[str, typer.Argument(help="Its transaction id.", show_default=False)],
    json: Json = False,
) -> None:
    """Show the entry of one event: what was asked, what it moved, and the wallet after it. Reads the ledger's file."""
    from seamless_wallet.backoffice.responses import entry_json

    async def ask(ledger: Ledger) -> Row:
        scale = ledger.scales[(await _player(ledger, user_id)).currency]
        entry = await ledger.event(provider, user_id, transaction_id)
        if entry is None:
            raise NotInLedger(f"there is no event {transaction_id} of the provider {provider} for {user_id}")
        return entry_json(entry, scale)

    found = _ask(ask)
    if json:
        typer.echo(jsonlib.dumps(found))
    else:
        _show_entries([found], json=False)


def rounds(
    user_id: UserId,
    only_open: Annotated[bool, typer.Option("--open", help="Only open bets.")] = False,
    before: Annotated[int | None, typer.Option(help="Before this seq: the last one of an earlier page.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show a player's rounds with their bets, newest first. Reads the ledger's file."""
    from seamless_wallet.backoffice.responses import round_json

    async def ask(ledger: Ledger) -> list[Row]:
        scale = ledger.scales[(await _player(ledger, user_id)).currency]
        found = await (ledger.open_rounds(user_id, limit) if only_open else ledger.rounds(user_id, before, limit))
        if len(found) < limit and not only_open:
            await _tell_archives(ledger, user_id)
        return [round_json(round_, scale) for round_ in found]

    found = _ask(ask)
    rows = [{**round_, **bet} for round_ in found for bet in round_["bets"]]
    show_rows(
        found if json else rows,
        ("placed", "seq", "provider", "game_no", "bet_index", "state", "stake", "winloss"),
        json=json,
    )


def open_rounds(
    hours: Annotated[int, typer.Option(min=0, max=1_000_000, help="Open for so long at least.")] = 24,
    provider: Annotated[str, typer.Option("--provider", help="Only of this provider.")] = "",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show rounds of all players that are open for long, those that were placed first in front. Reads the ledger."""
    from seamless_wallet.backoffice.responses import left_open_json
    from seamless_wallet.ledger.records import LeftOpenQuery
    from seamless_wallet.processes.system_ports import SystemClock

    query = LeftOpenQuery(max(0, SystemClock().now_ms() - hours * 3_600_000), provider, limit=limit)

    async def ask(ledger: Ledger) -> list[Row]:
        return [left_open_json(found, ledger.scales[found.currency]) for found in await ledger.left_open(query)]

    found = _ask(ask)
    rows = [{**round_, **bet} for round_ in found for bet in round_["bets"]]
    columns = ("placed", "user_id", "provider", "game_no", "bet_index", "currency", "stake", "seq")
    show_rows(found if json else rows, columns, json=json)


def list_players(
    prefix: Annotated[str, typer.Option(help="Only ids that begin so.")] = "",
    status: Annotated[PlayerStatus | None, typer.Option(help="Only players of this status.")] = None,
    owing: Annotated[bool, typer.Option("--owing", help="Only players with a debt.")] = False,
    after: Annotated[str, typer.Option(help="After this id: the last one of an earlier page.")] = "",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List players by id. Reads the ledger's file."""
    from seamless_wallet.backoffice.responses import player_json
    from seamless_wallet.ledger.records import PlayersQuery

    query = PlayersQuery(prefix, status.value if status else "", owing, after, limit)

    async def ask(ledger: Ledger) -> list[Row]:
        return [player_json(wallet, ledger.scales[wallet.currency]) for wallet in await ledger.players(query)]

    show_rows(_ask(ask), ("user_id", "status", "currency", "balance", "debt", "version"), json=json)


def balance(
    user_id: UserId,
    at: Annotated[str, typer.Option("--at", help=f"As of this moment. {Time}", show_default=False)],
    json: Json = False,
) -> None:
    """Show what a player had at a time: after the newest entry that had been received by then. Reads the file."""
    from seamless_wallet.backoffice.responses import balance_json, iso_utc

    at_ms = moment_ms(at, "--at") or 0

    async def ask(ledger: Ledger) -> Row:
        player = await _player(ledger, user_id)
        entry = await ledger.entry_at(user_id, at_ms)
        if entry is None:
            raise NotInLedger(f"{user_id} was not there yet at {iso_utc(at_ms)}")
        return balance_json(player, entry, at_ms, ledger.scales[player.currency])

    found = _ask(ask)
    show_rows(found if json else [found], tuple(found), json=json)


# ---------------------------------------------------------------------- how


def _ask(question: Callable[[Ledger], Awaitable[Answered]]) -> Answered:
    from seamless_wallet.processes.ledger_connection import open_ledger

    settings = load_checked_settings()

    async def ask() -> Answered:
        async with open_ledger(settings, for_people=True) as ledger:
            return await question(ledger)

    return asyncio.run(ask())


async def _player(ledger: Ledger, user_id: str) -> Wallet:
    player = await ledger.wallet(user_id)
    if player is None:
        raise NotInLedger(f"there is no player {user_id}")
    return player


async def _tell_archives(ledger: Ledger, user_id: str, since: str = "") -> None:
    """Where older entries of the player are, on stderr: what is found is on stdout."""
    for each in await ledger.archives(user_id):
        if each.month >= since[: len(each.month)]:
            typer.echo(f"Entries of {each.month} are archived: {each.file}", err=True)


def moment_ms(text: str, option: str) -> int | None:
    """Epoch milliseconds of a moment; None if there is none. Raises BadParameter."""
    if not text:
        return None
    from seamless_wallet.backoffice.queries import moment_ms

    try:
        return moment_ms(text)
    except ValueError:
        raise typer.BadParameter("give a moment such as 2026-01-31T12:00:00Z", param_hint=option) from None


def _show_entries(found: Sequence[Row], *, json: bool) -> None:
    columns = ("received", "seq", "kind", "provider", "transaction_id", "game_no", "balance_delta", "balance", "debt")
    rows = [{**row, "items": _items_text(row.get("items", ()))} for row in found]
    show_rows(found if json else rows, (*columns, "items"), json=json)


def _items_text(items: Sequence[Row]) -> str:
    return ", ".join(
        f"{item['bet_index']}: {item['amount']}{' ' + item['winloss'] if 'winloss' in item else ''} {item['effect']}"
        for item in items
    )


def show_rows(found: Any, columns: Sequence[str], *, json: bool) -> None:
    """Print rows as a table with these columns, or as JSON."""
    if json:
        typer.echo(jsonlib.dumps(found))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in found:
        table.add_row(*(Text(one_line(str(row.get(column, "")))) for column in columns))
    stdout_console().print(table if found else "nothing found")
