"""Commands for the calls to the webhook: what came, what was answered, and what is done about it.

Those that show read the history, whether the service is running or not. Those that change something go
through the back office of a running service.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import typer

from seamless_wallet.cli.history import Limit, NotInLedger, Time, moment_ms, show_rows
from seamless_wallet.cli.option_groups import with_options
from seamless_wallet.cli.options import AuditReason, BackOfficeOptions, Json
from seamless_wallet.errors import one_line, printable
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.calls.ports import CallsPage, CallsQuery, StoredCall
    from seamless_wallet.clients.admin_api import AdminClient
    from seamless_wallet.stores.kept_calls import KeptCalls
    from seamless_wallet.stores.ledger import Ledger

calls = typer.Typer(no_args_is_help=True, help="Show, export, acknowledge, repeat and erase calls to the webhook.")

Answered = TypeVar("Answered")

PAGE: Final = 100
"""Calls that are read at once: with the longest texts they are 13 MiB."""

CallId = Annotated[str, typer.Argument(help="Id of the call, from `wallet calls list`.", show_default=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsOptions:
    """Which calls."""

    begin: Annotated[str, typer.Option("--from", help=f"From this moment on. {Time}")] = ""
    end: Annotated[str, typer.Option("--to", help="Before this moment.")] = ""
    provider: Annotated[str, typer.Option("--provider", help="Only of this provider.")] = ""
    player: Annotated[str, typer.Option("--player", help="Only of this player.")] = ""
    transaction: Annotated[str, typer.Option("--transaction", help="Only with this transaction_id.")] = ""
    game_no: Annotated[str, typer.Option("--round", help="Only of this round (game_no).")] = ""
    event: Annotated[str, typer.Option("--event", help="Only of this event, by the provider's name of it.")] = ""
    code: Annotated[str, typer.Option("--code", help="Only with this code, such as R3.")] = ""
    reason: Annotated[str, typer.Option("--reason", help="Only with this reason, such as unknown_bet.")] = ""
    failed: Annotated[bool, typer.Option("--failed", help="Only R1, R2 and R3.")] = False
    unacknowledged: Annotated[
        bool, typer.Option("--unacknowledged", help="Only failed ones that nobody has acknowledged.")
    ] = False
    slow_ms: Annotated[int, typer.Option("--slow-ms", min=0, help="Only those that took so long.")] = 0

    def query(self, limit: int) -> CallsQuery:
        """The same as a question to the history. Raises BadParameter."""
        from seamless_wallet.calls.ports import CallsQuery

        return CallsQuery(
            from_ms=moment_ms(self.begin, "--from") or 0,
            to_ms=moment_ms(self.end, "--to"),
            provider=self.provider,
            user_id=self.player,
            transaction_id=self.transaction,
            game_no=self.game_no,
            event=self.event,
            code=self.code.upper(),
            reason=self.reason,
            failed=self.failed,
            unacknowledged=self.unacknowledged,
            slow_ms=self.slow_ms,
            limit=limit,
        )


@calls.command("list")
@with_options(CallsOptions)
def list_calls(chosen: CallsOptions, limit: Limit = 50, json: Json = False) -> None:
    """List calls, newest first."""
    import msgspec

    from seamless_wallet.backoffice.call_responses import call_json

    query = msgspec.structs.replace(chosen.query(limit), texts=False)
    rows = [call_json(stored) for stored in ask_calls(lambda store: found_calls(store, query))]
    columns = ("time", "id", "provider", "event", "user_id", "transaction_id", "code", "reason", "place", "taken_ms")
    show_rows(rows, columns, json=json)


@calls.command("show")
def show_call(call_id: CallId, json: Json = False) -> None:
    """Show a call with its request and its reply.

    `key` says which of the provider's keys the caller had: `current` is api_key and `previous` is previous_api_key,
    as the settings were then. It is empty for a caller without a right key.
    """
    from seamless_wallet.backoffice.call_responses import call_json
    from seamless_wallet.calls.ports import call_id_in

    number = call_id_in(call_id)
    if number is None:
        raise typer.BadParameter(f"{call_id!r} is not the id of a call", param_hint="CALL_ID")
    stored = ask_calls(lambda store: store.call(number))
    if stored is None:
        raise NotInLedger(f"there is no call {call_id}; it may have been deleted, as calls are after WALLET_CALLS_DAYS")
    _print_fields(call_json(stored, texts=True), json=json)


@calls.command("export")
@with_options(CallsOptions)
def export(
    chosen: CallsOptions,
    limit: Limit = 10_000,
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format", help="Form of the lines.")] = "jsonl",
) -> None:
    """Write calls to standard output, newest first, with their requests and replies."""
    from seamless_wallet.backoffice.call_responses import calls_csv, calls_jsonl

    query = chosen.query(limit)

    async def write(store: KeptCalls) -> None:
        is_first = True
        async for calls in _pages(store, query):
            content = calls_csv(calls, head=is_first) if form == "csv" else calls_jsonl(calls)
            is_first = False
            if sys.stdout.isatty():
                typer.echo(printable(content.decode()), nl=False)
            else:
                sys.stdout.buffer.write(content)

    ask_calls(write)


@calls.command("orphans")
@with_options(CallsOptions)
def orphans(chosen: CallsOptions, limit: Limit = 50, json: Json = False) -> None:
    """List results and changes whose bet is not known, and that are not settled by now: by their newest call."""
    query = chosen.query(limit)
    rows = ask_calls(lambda store: _found_orphans(store, query))
    columns = ("last", "provider", "user_id", "transaction_id", "game_no", "event", "tries", "first", "call")
    show_rows(rows, columns, json=json)


@calls.command("acknowledge")
@with_options(BackOfficeOptions)
def acknowledge(
    back_office: BackOfficeOptions,
    call_id: CallId,
    note: Annotated[str, typer.Option("--note", help="What was done about it.")] = "",
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Note that a call needs nothing more: it is no longer among the unacknowledged ones."""
    told = _ask_back_office(back_office, lambda admin: admin.acknowledge_call(call_id, note), reason)
    if json:
        _print_fields(told, json=True)
    else:
        typer.echo(f"call {told['id']} acknowledged at {told['acknowledged']}")


@calls.command("replay")
@with_options(BackOfficeOptions)
def replay(
    back_office: BackOfficeOptions,
    call_id: CallId,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.", show_default=False)],
    confirm: Annotated[
        str,
        typer.Option(
            "--confirm", help="What the call asked: bet, cancel, result or change. Default: asks.", show_default=False
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Have the event of a call decided again, by the same way. One that is in the ledger already moves nothing.

    The provider gets no answer. A bet needs care: its game may be over.
    """
    if not confirm:
        question = "What did the call ask? Type bet, cancel, result or change to have it decided again"
        confirm = typer.prompt(question, err=True)
    told = _ask_back_office(back_office, lambda admin: admin.replay_call(call_id, confirm, reason))
    if json:
        _print_fields(told, json=True)
    else:
        typer.echo(f"call {told['replay_of']} decided again: {told['code']} {told['reason']}")


@calls.command("erase")
@with_options(BackOfficeOptions)
def erase(
    back_office: BackOfficeOptions,
    user_id: Annotated[str, typer.Argument(help="Id of the player.", show_default=False)],
    confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Erase all calls of a player. The ledger keeps what moved money."""
    if not confirmed:
        typer.confirm(f"Erase all calls of {user_id}? They cannot be brought back", abort=True, err=True)
    told = _ask_back_office(back_office, lambda admin: admin.erase_calls(user_id), reason)
    if json:
        _print_fields(told, json=True)
    else:
        typer.echo(f"{told['erased']} calls of {told['user_id']} erased")


# ---------------------------------------------------------------------- how


def ask_calls(question: Callable[[KeptCalls], Awaitable[Answered]]) -> Answered:
    """Ask the history, with what workers have left up to now. Raises NotInLedger if there is none.

    What cannot be collected, since the disk is full or somebody holds a lock, is said on stderr: the rest can be read.
    """
    from seamless_wallet.ledger.ports import StoreError
    from seamless_wallet.processes.call_history import open_calls

    settings = load_checked_settings()
    if settings.ledger_server is None and not settings.calls_path.exists():
        # Whoever looks makes no file, maybe as another user than the service.
        raise NotInLedger(f"no call is recorded: there is no {settings.calls_path}")

    async def ask() -> Answered:
        async with open_calls(settings) as store:
            try:
                await store.collect()
            except StoreError as error:
                typer.echo(f"The newest calls may be missing, as they cannot be collected: {error}", err=True)
            return await question(store)

    return asyncio.run(ask())


async def found_calls(store: KeptCalls, query: CallsQuery) -> list[StoredCall]:
    """As many calls as the query asks for, through as many pages as that takes."""
    return [stored async for page in _pages(store, query) for stored in page]


async def _pages(store: KeptCalls, query: CallsQuery) -> AsyncIterator[Sequence[StoredCall]]:
    """The same, page by page; at least one."""
    import msgspec

    found, before_id = 0, query.before_id
    while True:
        limit = min(PAGE, query.limit - found)
        page: CallsPage = await store.find(msgspec.structs.replace(query, before_id=before_id, limit=limit))
        yield page.calls
        found, before_id = found + len(page.calls), page.next_id
        if before_id is None or found >= query.limit:
            return


async def _found_orphans(store: KeptCalls, query: CallsQuery) -> list[dict[str, Any]]:
    import msgspec

    from seamless_wallet.backoffice.orphans import find_orphans
    from seamless_wallet.processes.ledger_connection import open_ledger

    found: list[dict[str, Any]] = []
    before_id = query.before_id
    ledger: Ledger
    async with open_ledger(load_checked_settings()) as ledger:
        while True:
            part = msgspec.structs.replace(query, before_id=before_id, limit=PAGE)
            page, before_id = await find_orphans(store, ledger, part)
            found += page
            if before_id is None or len(found) >= query.limit:
                return found[: query.limit]


def _ask_back_office(
    back_office: BackOfficeOptions, call: Callable[[AdminClient], Awaitable[dict[str, Any]]], reason: str = ""
) -> dict[str, Any]:
    client = back_office.client(reason)

    async def ask() -> dict[str, Any]:
        async with client as admin:
            return await call(admin)

    return asyncio.run(ask())


def _print_fields(told: dict[str, Any], *, json: bool) -> None:
    if json:
        show_rows(told, (), json=True)
        return

    for name, value in told.items():
        typer.echo(f"{name + ':':16}{one_line(_line(value))}")


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return "" if value is None else str(value)
