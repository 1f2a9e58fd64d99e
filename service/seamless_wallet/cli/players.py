"""Commands for players and their money. They call the back office of a running service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import uuid4

import msgspec
import typer

from seamless_wallet.cli.history import balance, list_players
from seamless_wallet.cli.option_groups import with_options
from seamless_wallet.cli.options import AuditReason, BackOfficeOptions, Json
from seamless_wallet.cli.player_import import import_players
from seamless_wallet.clients.admin_api import AdminClient, AdminError, AdminRefused, AdminUnreachable, PlayerState

player = typer.Typer(no_args_is_help=True, help="Create, look up and block players; deposit and withdraw.")

T = TypeVar("T")
UserId = Annotated[str, typer.Argument(help="Id of the player.", show_default=False)]
Amount = Annotated[str, typer.Argument(help="Amount in major units, such as 100.00.", show_default=False)]
Key = Annotated[
    str,
    typer.Option(help="Idempotency key. A movement that is repeated with its key happens once. Default: random."),
]


@player.command("create")
@with_options(BackOfficeOptions)
def create(
    back_office: BackOfficeOptions,
    user_id: UserId,
    currency: Annotated[str, typer.Argument(help="Currency of the player, such as KRW.", show_default=False)] = "",
    named: Annotated[
        str,
        typer.Option(
            "--currency", help="Currency of the player, such as KRW; instead of the argument.", show_default=False
        ),
    ] = "",
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Create a player. It is no error if the player exists with that currency."""
    if bool(currency) == bool(named):
        raise typer.BadParameter("give the currency once, as in `wallet player create ann KRW`", param_hint="CURRENCY")
    currency = currency or named
    client = back_office.client(reason)
    _print_player(_ask(client, lambda admin: admin.create(user_id, currency)), json=json)


@player.command("show")
@with_options(BackOfficeOptions)
def show(
    back_office: BackOfficeOptions,
    user_id: UserId,
    json: Json = False,
) -> None:
    """Show a player's committed state."""
    client = back_office.client()
    _print_player(
        _ask(client, lambda admin: admin.show(user_id)),
        json=json,
    )


@player.command("deposit")
@with_options(BackOfficeOptions)
def deposit(
    back_office: BackOfficeOptions,
    user_id: UserId,
    amount: Amount,
    key: Key = "",
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Deposit money into a player's wallet."""
    key = key or str(uuid4())
    client = back_office.client(reason)
    _print_movement(_ask(client, lambda admin: admin.deposit(user_id, amount, key), key), json=json)


@player.command("withdraw")
@with_options(BackOfficeOptions)
def withdraw(
    back_office: BackOfficeOptions,
    user_id: UserId,
    amount: Amount,
    key: Key = "",
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Withdraw money from a player's wallet: at most balance less debt."""
    key = key or str(uuid4())
    client = back_office.client(reason)
    _print_movement(_ask(client, lambda admin: admin.withdraw(user_id, amount, key), key), json=json)


@player.command("block")
@with_options(BackOfficeOptions)
def block(
    back_office: BackOfficeOptions,
    user_id: UserId,
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Block a player: logins, bets and withdrawals are refused from now on."""
    client = back_office.client(reason)
    _print_player(_ask(client, lambda admin: admin.set_status(user_id, "blocked")), json=json)


@player.command("unblock")
@with_options(BackOfficeOptions)
def unblock(
    back_office: BackOfficeOptions,
    user_id: UserId,
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Activate a blocked player again."""
    client = back_office.client(reason)
    _print_player(_ask(client, lambda admin: admin.set_status(user_id, "active")), json=json)


player.command("import")(import_players)
player.command("list")(list_players)
player.command("balance")(balance)


def _ask(client: AdminClient, call: Callable[[AdminClient], Awaitable[T]], key: str = "") -> T:
    """Make one call. If its outcome stays unknown, the error says with which key to repeat it."""

    async def ask() -> T:
        async with client as admin:
            return await call(admin)

    try:
        return asyncio.run(ask())
    except AdminRefused as error:
        if key and error.kind == "outcome-unknown":
            raise AdminError(f"the outcome is unknown: repeat it with --key {key}") from None
        raise
    except AdminUnreachable as error:
        if key and error.sent:
            raise AdminError(f"{error}; the outcome is unknown: repeat it with --key {key}") from None
        raise


def _print_player(found: PlayerState, *, json: bool) -> None:
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    owes = f", owes {found.debt}" if found.debt.strip("0.") else ""
    typer.echo(f"{found.user_id}: {found.status}, {found.currency} {found.balance}{owes}")


def _print_movement(done: dict[str, Any], *, json: bool) -> None:
    if json:
        typer.echo(msgspec.json.encode(done))
        return
    again = " (done before, nothing moved)" if done.get("replayed") else ""
    typer.echo(f"{done['user_id']}: {done['kind']} {done['currency']} {done['amount']}, now {done['balance']}{again}")
