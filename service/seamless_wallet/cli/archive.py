"""The command that moves a month of entries from the ledger to a file."""

from __future__ import annotations

import asyncio
import json as jsonlib
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from seamless_wallet.cli.options import Json
from seamless_wallet.cli.progress import progress_bars
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings

HOT_WINDOWS: int = 2
"""For so long after its last entry a month stays: the wallet loads what came within one."""


def archive(
    month: Annotated[str, typer.Argument(help="A month that is over, such as 2026-01.", show_default=False)],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Where to write it. Default: archive-MONTH.jsonl.zst in the data directory.", show_default=False
        ),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Also drop the table of the month, and free its disk.")] = False,
    json: Json = False,
) -> None:
    """Move the entries of a month from PostgreSQL to a file, prove the file, and keep the closing figures.

    The service goes on meanwhile. Run it as the owner of the tables. If it was interrupted, run it again.
    """
    from seamless_wallet.settings.secret_files import create_data_dir
    from seamless_wallet.stores.postgres.archiving import archive as archive_month

    first = _first_day(month)
    settings = load_checked_settings()
    if settings.ledger_server is None:
        raise SettingsError(
            "WALLET_LEDGER_URL: months are archived of a ledger in PostgreSQL, and this one is in SQLite"
        )
    if file is None:
        create_data_dir(settings.data_dir)
    file = file or settings.data_dir / f"archive-{month}.jsonl.zst"
    cold_ms = HOT_WINDOWS * settings.hot_window_s * 1000
    with progress_bars(hidden=json) as bars:
        done = asyncio.run(archive_month(settings.ledger_server, first, file, cold_ms=cold_ms, drop=drop, bars=bars))
    if json:
        told = {"month": done.month, "file": str(file), "entries": done.entries, "digest": done.digest}
        typer.echo(jsonlib.dumps({**told, "again": done.again, "dropped": done.dropped}))
        return
    was = "was archived before; the file has" if done.again else "is archived:"
    typer.echo(f"{month} {was} {done.entries} entries, proven, digest {done.digest}")
    typer.echo(f"  {file}")
    table = f"ledger.entry_{first:%Y_%m}"
    typer.echo(
        f"Its table {table} is dropped."
        if done.dropped
        else f"Its table {table} is detached. Pass --drop when the file is in two places."
    )


def _first_day(month: str) -> date:
    """Raises BadParameter."""
    try:
        if len(month) != len("2026-01"):
            raise ValueError  # noqa: TRY301 - such as 2026-1
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise typer.BadParameter("give a month such as 2026-01", param_hint="MONTH") from None
