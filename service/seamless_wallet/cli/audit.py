"""`wallet audit`: what was done by the back office. It reads the file, whether the service runs or not."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seamless_wallet.cli.history import Limit, NotInLedger, Time, moment_ms
from seamless_wallet.cli.options import Json
from seamless_wallet.errors import printable
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.actions.ports import ActionsQuery, StoredAction


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
    if json:
        typer.echo(jsonlib.dumps(rows))
    for row in () if json else rows:
        typer.echo(_line(row))


def _ask(query: ActionsQuery) -> Sequence[StoredAction]:
    from seamless_wallet.processes.action_log import open_action_log

    settings = load_checked_settings()
    if not settings.audit_path.exists():  # whoever looks makes no file, maybe as another user than the service
        raise NotInLedger(f"nothing is recorded: there is no {settings.audit_path}")

    async def ask() -> Sequence[StoredAction]:
        async with open_action_log(settings) as actions:
            return await actions.find(query)

    return asyncio.run(ask())


def _line(told: dict[str, Any]) -> str:
    """An action as one line, whatever is in it."""
    outcome = told["outcome"]
    said = "unknown" if outcome is None else f"{outcome['status']} {outcome['problem']}".strip()
    words = [
        f"{told['time']}  {told['actor']} ({told['role']}) from {told['peer']}:",
        *(told[name] for name in ("action", "user_id" if told["user_id"] else "path", "parameters")),
        *([f"because {told['reason']}"] if told["reason"] else []),
        f"→ {said}",
    ]
    return " ".join(printable(" ".join(words)).split())
