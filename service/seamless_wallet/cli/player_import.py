"""`wallet player import`: players with opening balances, from a file, through the back office of a running service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from seamless_wallet.cli.option_groups import with_options
from seamless_wallet.cli.options import AuditReason, BackOfficeOptions, Json
from seamless_wallet.errors import printable
from seamless_wallet.exit_status import EXIT_FAILURE

if TYPE_CHECKING:
    from seamless_wallet.clients.admin_api import AdminClient
    from seamless_wallet.clients.player_files import PlayerFile
    from seamless_wallet.clients.player_import import NotTaken

OUTCOMES: Final = ("taken", "known", "refused")


@with_options(BackOfficeOptions)
def import_players(
    back_office: BackOfficeOptions,
    file: Annotated[Path, typer.Argument(help="CSV file with a head, or one JSON object a line.", show_default=False)],
    form: Annotated[
        Literal["csv", "jsonl"] | None,
        typer.Option("--format", help="Form of the file. Default: by the end of its name.", show_default=False),
    ] = None,
    reason: AuditReason = "",
    json: Json = False,
) -> None:
    """Import players with their opening balances: user_id, currency and, if there is one, balance.

    A player has one opening balance for ever, whatever file it comes from: an import that was cut short is run again,
    and what was taken before is known. Each line that is not taken is told with its number and the reason.

    Exit status: 0 all players are as the file says, 1 some are not or the wallet does not answer, 2 it is no such file.
    """
    from seamless_wallet.clients.player_files import PlayerFile

    client = back_office.client(reason)
    with PlayerFile(file, form or "") as players:
        told = asyncio.run(_run(client, players, quiet=json))
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(told))
    else:
        typer.echo("{taken} players taken, {known} known before, {refused} not taken".format_map(told))
    raise typer.Exit(EXIT_FAILURE if told["refused"] else 0)


async def _run(client: AdminClient, players: PlayerFile, *, quiet: bool) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    from seamless_wallet.clients.player_import import PlayerImport

    not_taken: list[NotTaken] = []

    def report(line: NotTaken) -> None:
        if quiet:
            not_taken.append(line)
        else:
            whose = f"{line.user_id}: " if line.user_id else ""
            typer.echo(printable(f"line {line.line}: {whose}{line.problem}: {line.detail}"))

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("Importing players", total=players.size)
        async with client as admin:
            running = PlayerImport(admin, report, lambda: bar.update(task, completed=players.bytes_read))
            await running.run(players.lines())
    counts = {outcome: running.counts[outcome] for outcome in OUTCOMES}
    return {**counts, "not_taken": not_taken} if quiet else counts
