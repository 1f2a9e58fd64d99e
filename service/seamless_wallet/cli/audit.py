"""`wallet audit`: what was done by the back office. It reads the file, whether the service runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seamless_wallet.cli.history import Limit, NotInLedger, Time, moment_ms, show_rows
from seamless_wallet.cli.options import Json
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.actions.ports import ActionsQuery, StoredAction

COLUMNS: Final = ("time", "actor", "role", "peer", "action", "user_id", "key", "parameters", "reason", "outcome")


def audit(
    begin: Annotated[str, typer.Option("--from", help=f"From this moment on. {Time}")] = "",
    end: Annotated[str, typer.Option("--to", help="Before this moment.")] = "",
    actor: Annotated[str, typer.Option(help="Only of this holder of a token.")] = "",
    player: Annotated[str, typer.Option(help="Only about this player.")] = "",
    action: Annotated[str, typer.Option(help="Only of this kind, such as deposit.")] = "",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show what was done by the back office, newest first: by whom, from where, why, and what came of it."""
    from seamless_wallet.actions.ports import ActionsQuery
    from seamless_wallet.backoffice.actions_served import action_json

    query = ActionsQuery(
        from_ms=moment_ms(begin, "--from") or 0,
        to_ms=moment_ms(end, "--to"),
        actor=actor,
        user_id=player,
        action=action,
        limit=limit,
    )
    rows = [action_json(stored) for stored in _ask(query)]
    show_rows(rows if json else [_row(row) for row in rows], COLUMNS, json=json)


def _ask(query: ActionsQuery) -> Sequence[StoredAction]:
    from seamless_wallet.processes.action_log import open_action_log

    settings = load_checked_settings()
    if not settings.audit_path.exists():  # whoever looks makes no file, maybe as another user than the service
        raise NotInLedger(f"nothing is recorded: there is no {settings.audit_path}")

    async def ask() -> Sequence[StoredAction]:
        async with open_action_log(settings) as actions:
            return await actions.find(query)

    return asyncio.run(ask())


def _row(told: dict[str, Any]) -> dict[str, Any]:
    """An action as one line of a table."""
    outcome = told["outcome"]
    said = "unknown" if outcome is None else f"{outcome['status']} {outcome['problem']}".strip()
    return {**told, "outcome": said}
