"""The command that moves a ledger from SQLite to PostgreSQL."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import Annotated

import typer

from seamless_wallet.cli.options import Json
from seamless_wallet.cli.progress import progress_bars
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings


def copy_ledger(
    url: Annotated[
        str,
        typer.Argument(
            help="An empty database, such as postgresql://ledger_owner@host/ledger. A password is better kept in "
            "PGPASSWORD or a passfile.",
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Copy the ledger from its SQLite file into an empty PostgreSQL database, and verify it. Stop the service before.

    The copy is complete and verified, or not there: whatever interrupted it, run it again. It has a new UUID, so that
    a Redis that served the file is refused. The file stays as it is.
    """
    from seamless_wallet.settings.urls import POSTGRES_PREFIXES, check_ledger_url
    from seamless_wallet.stores.ledger_copy import copy_ledger as copy
    from seamless_wallet.stores.postgres.primary import place_of
    from seamless_wallet.supervisor.data_directory import held

    settings = load_checked_settings()
    try:
        check_ledger_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="URL") from None
    if not url.startswith(POSTGRES_PREFIXES):
        raise typer.BadParameter("name a PostgreSQL database; `wallet backup` copies to a file", param_hint="URL")
    if settings.ledger_server is not None:
        raise SettingsError("WALLET_LEDGER_URL: the ledger is in PostgreSQL already: see `wallet docs postgres`")
    with held(settings), progress_bars(hidden=json) as bars:
        copied = asyncio.run(copy(settings.ledger_path, url, bars))
    if json:
        told = {"place": place_of(url), "uuid": copied.uuid, "entries": sum(copied.seqs)}
        typer.echo(jsonlib.dumps({**told, "entries_by_shard": list(copied.seqs), "months": list(copied.months)}))
        return
    typer.echo(f"{place_of(url)}: a copy of {settings.ledger_path}, {sum(copied.seqs)} entries, checked, 0 findings")
    typer.echo("  by shard: " + ", ".join(f"{shard}: {seq}" for shard, seq in enumerate(copied.seqs)))
    typer.echo(f"  months: {', '.join(copied.months) or 'none'}")
    typer.echo(
        f"The copy has a new UUID, {copied.uuid}: a Redis that served the file is refused as foreign; empty it, or use "
        "another (the embedded Valkey starts empty anyway)."
    )
    typer.echo(f"Set WALLET_LEDGER_URL to it, and move {settings.ledger_path.name} away: never start both.")
