"""Commands that save the ledger while the service runs, and put a saved one in its place."""

from __future__ import annotations

import json as jsonlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

import typer

from seamless_wallet.cli.options import Json
from seamless_wallet.cli.progress import progress_bars
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.settings import Settings
    from seamless_wallet.stores.sqlite.backup import LedgerCopy

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


def backup(
    file: Annotated[Path, typer.Argument(help="Where to save the ledger.", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a file of this name.")] = False,
    json: Json = False,
) -> None:
    """Save the ledger to a file, and check what was saved, whether the service is running or not.

    The file has its name only when it is complete and checked. A backup that has findings is not kept: status 1.
    """
    from seamless_wallet.stores.sqlite.backup import back_up

    settings = load_checked_settings()
    _check_is_file(settings)
    began_s = time.monotonic()
    with progress_bars(hidden=json) as bar:
        saved = back_up(
            settings.ledger_path, file, replace=replace, copying=bar("Copying the ledger"), checking=bar("Checking it")
        )
    duration_s = time.monotonic() - began_s
    if json:
        typer.echo(jsonlib.dumps({"path": str(file), **_ends(saved), "duration_s": round(duration_s, 3)}))
        return
    typer.echo(f"{file}: a backup of the ledger {saved.uuid}, {_size(saved.size_bytes)}, checked, 0 findings")
    _print_ends(saved)
    typer.echo(f"took {duration_s:.1f} s")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup: what `wallet backup` saved.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a ledger that is there. The old one is kept.")
    ] = False,
    json: Json = False,
) -> None:
    """Put a backup in the place of the ledger, under a new UUID. Stop everything that uses the ledger before.

    The backup is checked before anything is touched. If this was interrupted, run it again.
    """
    from seamless_wallet.stores.sqlite.restore import opened_backup
    from seamless_wallet.stores.sqlite.restore import restore as restore_ledger
    from seamless_wallet.supervisor.data_directory import held

    settings = load_checked_settings()
    _check_is_file(settings)
    ledger = settings.ledger_path
    if ledger.parent != settings.data_dir and not ledger.parent.is_dir():
        raise SettingsError(
            f"WALLET_LEDGER_URL: the directory {ledger.parent} does not exist; create it, or correct the path"
        )
    began_s = time.monotonic()
    with opened_backup(file, ledger) as source, held(settings), progress_bars(hidden=json) as bar:
        restored = restore_ledger(
            source,
            file,
            ledger,
            shards=settings.shards,
            currencies=settings.currencies,
            new_uuid=str(uuid4()),
            replace=replace,
            copying=bar("Copying the backup"),
            checking=bar("Checking it"),
        )
    duration_s = time.monotonic() - began_s
    kept = str(restored.kept) if restored.kept else None
    if json:
        told = {"path": str(ledger), **_ends(restored.copy), "kept": kept, "duration_s": round(duration_s, 3)}
        typer.echo(jsonlib.dumps(told))
        return
    typer.echo(f"{ledger}: restored from {file}, {_size(restored.copy.size_bytes)}, checked, 0 findings")
    _print_ends(restored.copy)
    typer.echo("What was acknowledged after that entry is not in it: ask the providers to repeat it.")
    typer.echo(
        f"The ledger has a new UUID, {restored.copy.uuid}: a Redis that served the old one is refused as foreign; "
        "empty it, or use another (the embedded Valkey starts empty anyway)."
    )
    if kept:
        typer.echo(f"The old ledger is kept: {kept}")
    typer.echo(f"took {duration_s:.1f} s")


def _check_is_file(settings: Settings) -> None:
    """Raises SettingsError for a ledger whose server has better means."""
    if settings.ledger_server is not None:
        raise SettingsError(
            "WALLET_LEDGER_URL: the ledger is in PostgreSQL; save and restore it with pg_basebackup and archived WAL: "
            "see `wallet docs postgres`"
        )


def _ends(copy: LedgerCopy) -> dict[str, Any]:
    """What a copy holds, for JSON."""
    return {
        "uuid": copy.uuid,
        "entries": sum(copy.seqs),
        "entries_by_shard": list(copy.seqs),
        "last_entry": _moment(copy),
        "size_bytes": copy.size_bytes,
    }


def _print_ends(copy: LedgerCopy) -> None:
    last = f"the last of {_moment(copy)}" if copy.last_ms is not None else "no entry yet"
    typer.echo(f"  {sum(copy.seqs)} entries, {last}")
    typer.echo("  by shard: " + ", ".join(f"{shard}: {seq}" for shard, seq in enumerate(copy.seqs)))


def _moment(copy: LedgerCopy) -> str | None:
    if copy.last_ms is None:
        return None
    moment = EPOCH + timedelta(milliseconds=copy.last_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {UNITS[unit]}" if unit else f"{size_bytes} bytes"
