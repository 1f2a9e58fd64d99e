"""Commands that show calls to the webhook. They read the history, whether the service is running or not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import typer

from seamless_wallet.cli.history import Limit, NotInLedger, Time, moment_ms, show_rows
from seamless_wallet.cli.options import Json
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.calls.ports import CallsPage, CallsQuery, StoredCall
    from seamless_wallet.stores.kept_calls import KeptCalls

calls = typer.Typer(no_args_is_help=True, help="Show and export calls to the webhook.")

Answered = TypeVar("Answered")

PAGE: Final = 400
"""Calls that are read at once."""

Begin = Annotated[str, typer.Option("--from", help=f"From this moment on. {Time}")]
End = Annotated[str, typer.Option("--to", help="Before this moment.")]
ProviderName = Annotated[str, typer.Option("--provider", help="Only of this provider.")]
Player = Annotated[str, typer.Option("--player", help="Only of this player.")]
Transaction = Annotated[str, typer.Option("--transaction", help="Only with this transaction_id.")]
Round = Annotated[str, typer.Option("--round", help="Only of this round (game_no).")]
Event = Annotated[str, typer.Option("--event", help="Only of this event, by the provider's name of it.")]
CodeName = Annotated[str, typer.Option("--code", help="Only with this code, such as R3.")]
Failed = Annotated[bool, typer.Option("--failed", help="Only R1, R2 and R3.")]
Slow = Annotated[int, typer.Option("--slow-ms", min=0, help="Only those that took so long.")]
CallId = Annotated[str, typer.Argument(help="Id of the call, from `wallet calls list`.", show_default=False)]


@calls.command("list")
def list_calls(
    begin: Begin = "",
    end: End = "",
    provider: ProviderName = "",
    player: Player = "",
    transaction: Transaction = "",
    game_no: Round = "",
    event: Event = "",
    code: CodeName = "",
    failed: Failed = False,
    slow_ms: Slow = 0,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List calls, newest first."""
    from seamless_wallet.backoffice.call_responses import call_json

    query = _query(begin, end, provider, player, transaction, game_no, event, code, failed, slow_ms, limit)
    rows = [call_json(stored) for stored in ask_calls(lambda store: found_calls(store, query))]
    columns = ("time", "id", "provider", "event", "user_id", "transaction_id", "code", "reason", "place", "taken_ms")
    show_rows(rows, columns, json=json)


@calls.command("show")
def show_call(call_id: CallId, json: Json = False) -> None:
    """Show a call with its request and its reply."""
    from seamless_wallet.backoffice.call_responses import call_json

    stored = ask_calls(lambda store: store.call(int(call_id) if call_id.isdecimal() else 0))
    if stored is None:
        raise NotInLedger(f"there is no call {call_id}; it may have been deleted, as calls are after WALLET_CALLS_DAYS")
    told = call_json(stored, texts=True)
    if json:
        show_rows(told, (), json=True)
        return
    for name, value in told.items():
        typer.echo(f"{name + ':':16}{_line(value)}")


@calls.command("export")
def export(
    begin: Begin = "",
    end: End = "",
    provider: ProviderName = "",
    player: Player = "",
    transaction: Transaction = "",
    game_no: Round = "",
    event: Event = "",
    code: CodeName = "",
    failed: Failed = False,
    slow_ms: Slow = 0,
    limit: Limit = 10_000,
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format", help="Form of the lines.")] = "jsonl",
) -> None:
    """Write calls to standard output, newest first, with their requests and replies."""
    from seamless_wallet.backoffice.call_responses import calls_csv, calls_jsonl

    query = _query(begin, end, provider, player, transaction, game_no, event, code, failed, slow_ms, limit)
    found = ask_calls(lambda store: found_calls(store, query))
    sys.stdout.buffer.write(calls_csv(found) if form == "csv" else calls_jsonl(found))


def ask_calls(question: Callable[[KeptCalls], Awaitable[Answered]]) -> Answered:
    """Ask the history, with what workers have left up to now. Raises NotInLedger if there is none."""
    from seamless_wallet.processes.call_history import open_calls

    settings = load_checked_settings()
    if settings.ledger_server is None and not settings.calls_path.exists():
        # Whoever looks makes no file, maybe as another user than the service.
        raise NotInLedger(f"no call is recorded: there is no {settings.calls_path}")

    async def ask() -> Answered:
        async with open_calls(settings) as store:
            await store.collect()
            return await question(store)

    return asyncio.run(ask())


async def found_calls(store: KeptCalls, query: CallsQuery) -> list[StoredCall]:
    """As many calls as the query asks for, through as many pages as that takes."""
    import msgspec

    found: list[StoredCall] = []
    before_id = query.before_id
    while True:
        limit = min(PAGE, query.limit - len(found))
        page: CallsPage = await store.find(msgspec.structs.replace(query, before_id=before_id, limit=limit))
        found += page.calls
        before_id = page.next_id
        if before_id is None or len(found) >= query.limit:
            return found


def _query(
    begin: str,
    end: str,
    provider: str,
    player: str,
    transaction: str,
    game_no: str,
    event: str,
    code: str,
    failed: bool,
    slow_ms: int,
    limit: int,
) -> CallsQuery:
    from seamless_wallet.calls.ports import CallsQuery

    return CallsQuery(
        from_ms=moment_ms(begin, "--from") or 0,
        to_ms=moment_ms(end, "--to"),
        provider=provider,
        user_id=player,
        transaction_id=transaction,
        game_no=game_no,
        event=event,
        code=code.upper(),
        failed=failed,
        slow_ms=slow_ms,
        limit=limit,
    )


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return "" if value is None else str(value)
