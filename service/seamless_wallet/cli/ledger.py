"""Commands that check the ledger: the trial balance, and `verify`."""

from __future__ import annotations

import asyncio
import json as jsonlib
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from seamless_wallet.cli.option_groups import with_options
from seamless_wallet.cli.options import BackOfficeOptions, Json
from seamless_wallet.cli.printing import stdout_console
from seamless_wallet.cli.verify_since import verify_since_last
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import Settings

if TYPE_CHECKING:
    from seamless_wallet.clients.admin_api import AdminClient
    from seamless_wallet.stores.ledger import Ledger

FINDINGS_SHOWN_MAX: Final = 100
"""Findings that are shown. The rest is only counted."""

CONNECT_LIMIT_S: Final = 2.0
NOT_COMPARED: Final[dict[str, Any]] = {
    "reachable": None,
    "problem": "--ledger-only",
    "compared": 0,
    "difference_count": 0,
    "differences": [],
}


@with_options(BackOfficeOptions)
def trial_balance(back_office: BackOfficeOptions, json: Json = False) -> None:
    """Show the sums of all accounts. Exits with status 1 unless the sum of each currency is zero."""
    sums = asyncio.run(_trial_balance(back_office.client()))
    if json:
        typer.echo(jsonlib.dumps(sums))
    else:
        _print_sums(sums["currencies"])
    raise typer.Exit(0 if sums["balanced"] else 1)


async def _trial_balance(client: AdminClient) -> dict[str, Any]:
    async with client as admin:
        return await admin.trial_balance()


def verify(
    json: Json = False,
    ledger_only: Annotated[
        bool, typer.Option("--ledger-only", help="Do not compare Redis: for a backup or another copy of the ledger.")
    ] = False,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Check only the entries since the last check with this option.")
    ] = False,
) -> None:
    """Check the ledger: hash chain, gaps, wallets, rounds, sums. Compare Redis with it, if Redis can be reached.

    Reads the ledger's file, whether the service is running or not. Exits with status 1 if there are findings.
    """
    if since_last:
        found = asyncio.run(verify_since_last(load_checked_settings()))
        if json:
            typer.echo(jsonlib.dumps(found))
        else:
            _print_findings(found)
            typer.echo("ok" if found["ok"] else "NOT OK")
        raise typer.Exit(0 if found["ok"] else 1)
    found = asyncio.run(_verify(load_checked_settings(), progress=not json, with_redis=not ledger_only))
    if json:
        typer.echo(jsonlib.dumps(found))
    else:
        _print_verified(found)
    raise typer.Exit(0 if found["ok"] else 1)


async def _verify(settings: Settings, *, progress: bool, with_redis: bool) -> dict[str, Any]:
    from seamless_wallet.processes.ledger_connection import open_ledger

    async with open_ledger(settings, for_people=True) as ledger:
        in_ledger = await _verify_ledger(ledger, progress=progress)
        in_redis = await _compare_redis(settings, ledger) if with_redis else NOT_COMPARED
    ok = not (in_ledger["finding_count"] or in_redis["difference_count"])
    return {"ok": ok, "ledger": in_ledger, "redis": in_redis}


async def _verify_ledger(ledger: Ledger, *, progress: bool) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import Progress

    findings: list[dict[str, Any]] = []
    count = 0
    bar = Progress(console=Console(stderr=True), transient=True, disable=not progress)
    with bar:
        task = bar.add_task("Checking the ledger", total=None)
        async with aclosing(ledger.verify(lambda done, total: bar.update(task, completed=done, total=total))) as found:
            async for finding in found:
                count += 1
                if count <= FINDINGS_SHOWN_MAX:
                    findings.append(msgspec.to_builtins(finding))
    heads = await ledger.heads()
    return {
        "path": ledger.place,
        "uuid": ledger.uuid,
        "entries": sum(head.seq for head in heads),
        "trial_balance": await _sums(ledger),
        "finding_count": count,
        "findings": findings,
    }


async def _sums(ledger: Ledger) -> dict[str, Any]:
    """Currency → account → decimal string."""
    from seamless_wallet.money import format_minor

    sums = await ledger.trial_balance()
    return {
        currency: {account: format_minor(minor, ledger.scales[currency]) for account, minor in sorted(accounts.items())}
        | {"total": format_minor(sum(accounts.values()), ledger.scales[currency])}
        for currency, accounts in sorted(sums.items())
    }


async def _compare_redis(settings: Settings, ledger: Ledger) -> dict[str, Any]:
    """Compare every wallet that Redis has. If Redis cannot be reached, `reachable` is false, which is no finding."""
    from redis.exceptions import RedisError

    from seamless_wallet.engine.connection import decoding_client
    from seamless_wallet.wallet.redis_comparison import Comparison

    differences: list[dict[str, Any]] = []
    count, reachable, problem = 0, False, None
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(decoding_client(settings.redis_address))
        comparison = Comparison(ledger, ledger.uuid, redis)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await redis.ping()
            reachable = True
            async for difference in comparison.differences():
                count += 1
                if count <= FINDINGS_SHOWN_MAX:
                    differences.append(msgspec.to_builtins(difference))
        except StoreError:
            raise
        except (RedisError, OSError) as error:
            problem = str(error) or type(error).__name__
    return {
        "reachable": reachable,
        "problem": problem,
        "compared": comparison.compared,
        "busy": comparison.busy,
        "idle_shards": comparison.idle_shards,
        "uncommitted": comparison.uncommitted,
        "difference_count": count,
        "differences": differences,
    }


# ---------------------------------------------------------------------- tables


def _print_sums(currencies: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("currency", *(), box=None, pad_edge=False)
    names = ("player", "debt", "house", "cash", "total")
    for name in names:
        table.add_column(name, justify="right")
    for currency, accounts in currencies.items():
        table.add_row(currency, *(str(accounts.get(name, "")) for name in names))
    stdout_console().print(table if currencies else "no entries yet")


def _print_verified(found: dict[str, Any]) -> None:
    ledger, redis = found["ledger"], found["redis"]
    _print_findings(ledger)
    for currency, accounts in ledger["trial_balance"].items():
        parts = ", ".join(f"{name} {amount}" for name, amount in accounts.items() if name != "total")
        typer.echo(f"  {currency}: {parts}; in all {accounts['total']}")
    if redis["problem"]:
        typer.echo(f"Redis: not compared, or not to the end ({redis['problem']})")
    else:
        busy = f", {redis['busy']} were too busy to compare" if redis["busy"] else ""
        typer.echo(f"Redis: {redis['compared']} wallets compared, {redis['difference_count']} differ{busy}")
    if redis.get("uncommitted"):
        typer.echo(f"  uncommitted, not acknowledged: {redis['uncommitted']} entries; check that the writer is running")
    for difference in redis["differences"]:
        typer.echo(f"  shard {difference['shard']}, {difference['user_id'] or 'all wallets'}: {difference['text']}")
    _print_more(redis["difference_count"])
    typer.echo("ok" if found["ok"] else "NOT OK")


def _print_findings(ledger: dict[str, Any]) -> None:
    typer.echo(f"{ledger['path']}: {ledger['entries']} entries, {ledger['finding_count']} findings")
    for finding in ledger["findings"]:
        where = "" if finding["shard"] is None else f"shard {finding['shard']}, entry {finding['seq']}: "
        typer.echo(f"  {where}{finding['text']}")
    _print_more(ledger["finding_count"])


def _print_more(count: int) -> None:
    if count > FINDINGS_SHOWN_MAX:
        typer.echo(f"  … and {count - FINDINGS_SHOWN_MAX} more")
