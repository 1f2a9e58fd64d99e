"""`wallet conformance`: try any webhook against the case table."""

from __future__ import annotations

import asyncio
import json as jsonlib
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.connect import AdminUrl, TokenFile, admin_address, provider_of, url_of
from service.conformance import Case, ConformanceError, Expected, Outcome, Target, check, run, select
from service.conformance import reports as report
from service.settings import Settings, SettingsError, load_settings
from service.settings.secret_files import read_secret

if TYPE_CHECKING:
    from service.providers import Provider

SCALE = 2
PAGE_WIDTH = 180
"""Of a list that is not read on a terminal: every case on a line."""


class Session(StrEnum):
    """Row 33."""

    REQUIRED = "required"
    OFF = "off"


class CancelUnknown(StrEnum):
    """Row 43."""

    TOMBSTONE = "tombstone"
    R3 = "r3"


class ChangeOverdraw(StrEnum):
    """Row 66."""

    DEBT = "debt"
    REJECT = "reject"


def conformance(
    url: Annotated[str, typer.Argument(help="The webhook. Default: that of the settings.", show_default=False)] = "",
    api_id: Annotated[str, typer.Option(help="Its Api-Id. Default: as in the settings.", show_default=False)] = "",
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with its Api-Key. Default: as in the settings.", show_default=False)
    ] = None,
    profile: Annotated[str, typer.Option(help="Wire format.")] = "dowinn-v3",
    cipher: Annotated[str, typer.Option(help="aes-256-ecb or aes-256-gcm.")] = "aes-256-ecb",
    key_encoding: Annotated[str, typer.Option(help="How the key is spelt: utf8, hex or base64.")] = "utf8",
    reply_body: Annotated[str, typer.Option(help="bare or json-string: how requests are wrapped, too.")] = "bare",
    provider: Annotated[
        str, typer.Option(help="Which of the settings. Default: the only one.", show_default=False)
    ] = "",
    currency: Annotated[
        str, typer.Option(help="Of the players. Default: the first of the settings.", show_default=False)
    ] = "",
    scale: Annotated[int, typer.Option(min=0, max=8, help="Its decimal digits, if not as in the settings.")] = SCALE,
    player: Annotated[
        list[str] | None, typer.Option(help="An existing player; say it twice for two. Default: new ones.")
    ] = None,
    admin_url: AdminUrl = "",
    admin_token_file: TokenFile = None,
    hook: Annotated[
        str,
        typer.Option(
            help="CMD create|deposit|withdraw|block|unblock|balance USER [AMOUNT] [CURRENCY], for any other cash desk.",
            show_default=False,
        ),
    ] = "",
    session: Annotated[
        Session | None, typer.Option(help="Row 33. Default: as in the settings, or required.", show_default=False)
    ] = None,
    cancel_unknown: Annotated[
        CancelUnknown | None, typer.Option(help="Row 43. Default: as set, or tombstone.", show_default=False)
    ] = None,
    change_overdraw: Annotated[
        ChangeOverdraw | None, typer.Option(help="Row 66. Default: as set, or debt.", show_default=False)
    ] = None,
    grace_s: Annotated[
        float | None,
        typer.Option(min=0, help="Row 33: bets after a logout. Default: as set, or 10.", show_default=False),
    ] = None,
    body_bytes_max: Annotated[
        int | None, typer.Option(min=1024, help="Row 13. Default: as set, or 65536.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Cases to play: a glob on names, or row:66. May be repeated.")
    ] = None,
    list_cases: Annotated[bool, typer.Option("--list", help="Only list the cases.")] = False,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="For one call.")] = 10.0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Cases at the same time, with new players.")] = 8,
    strict: Annotated[bool, typer.Option("--strict", help="A skipped case is a failure.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.", show_default=False)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every case.")] = False,
) -> None:
    """Try a wallet against the case table (docs/semantics.md): any endpoint that speaks the wire format.

    Exit status: 0 all passed, 1 not so, 2 wrong usage or nothing there.
    """
    from rich.console import Console

    cases = select(only or [])
    if not cases:
        raise ConformanceError(f"--only {' '.join(only or [])}: no case is called so; see --list")
    if list_cases:
        report.show_list(cases, Console(highlight=False, width=None if sys.stdout.isatty() else PAGE_WIDTH))
        return
    settings = None if url and api_id and api_key_file else load_settings()
    account, chosen = _account(
        settings, provider, api_id, api_key_file, profile, cipher, key_encoding, reply_body, currency, scale
    )
    options = {"session": session, "cancel_unknown": cancel_unknown, "change_overdraw": change_overdraw}
    told: dict[str, Any] = {name: option.value for name, option in options.items() if option is not None}
    told |= {"grace_s": grace_s} if grace_s is not None else {}
    told |= {"body_bytes_max": body_bytes_max} if body_bytes_max is not None else {}
    target = Target(
        provider=account,
        url=_endpoint(settings, url, account.name),
        currency=chosen,
        players=tuple(player or ()),
        admin=_admin(settings, url, admin_url, admin_token_file, hook, player or []),
        hook=hook,
        expected=Expected(**{**_as_set(settings, account), **told}),
        timeout_s=timeout_s,
        concurrency=concurrency,
    )
    check(target)
    outcomes = asyncio.run(_run(target, cases, quiet=json))
    if junit:
        junit.write_bytes(report.as_junit(outcomes))
    if json:
        typer.echo(jsonlib.dumps(report.as_json(outcomes)))
    else:
        report.show(outcomes, Console(highlight=False, soft_wrap=True), verbose=verbose)
    counts = report.summary(outcomes)
    raise typer.Exit(1 if counts["fail"] or (strict and counts["skip"]) else 0)


def _account(
    settings: Settings | None,
    name: str,
    api_id: str,
    key_file: Path | None,
    profile: str,
    cipher: str,
    key_encoding: str,
    reply_body: str,
    currency: str,
    scale: int,
) -> tuple[Provider, str]:
    """The account to play, and the currency. Raises ConformanceError or SettingsError."""
    from service.providers import configure

    if settings is not None and not (api_id or key_file):
        found = provider_of(settings, name)
        return found, currency or next(iter(found.currencies))
    if settings is not None and api_id and key_file:
        raise ConformanceError("--api-id is of a wallet that the settings do not know: say its URL, too")
    if not (api_id and key_file):
        raise ConformanceError("say both --api-id and --api-key-file, or neither for the account of the settings")
    currency = currency or "KRW"
    try:
        made = configure(
            name=name or "conformance",
            api_id=api_id,
            api_key=read_secret(key_file, "--api-key-file").strip(),
            currencies={currency: scale},
            profile=profile,
            cipher=cipher,
            key_encoding=key_encoding,
            reply_body=reply_body,
        )
    except (ValueError, SettingsError) as error:
        raise ConformanceError(str(error)) from None
    return made, currency


def _endpoint(settings: Settings | None, url: str, name: str) -> str:
    if url or settings is None:
        return url
    return f"{url_of(settings.webhook_host, settings.webhook_port, 'URL')}/webhook/{name}"


def _admin(
    settings: Settings | None, url: str, admin_url: str, token_file: Path | None, hook: str, players: Sequence[str]
) -> tuple[str, str] | None:
    """The back office: as it is said, or that of our own service."""
    if hook and (admin_url or token_file):
        raise ConformanceError("--hook and --admin-url exclude each other")
    if admin_url or token_file:
        return admin_address(admin_url, token_file)
    if hook or settings is None or url:
        return None
    return None if players and not settings.admin_token_path.exists() else admin_address("", None)


def _as_set(settings: Settings | None, account: Provider) -> dict[str, Any]:
    """What our own settings say about the rows marked (cfg)."""
    if settings is None or account.name not in settings.providers:
        return {}
    given = settings.providers[account.name]
    return {
        "session": given.session,
        "cancel_unknown": given.cancel_unknown,
        "change_overdraw": given.change_overdraw,
        "grace_s": settings.session_grace_ms / 1000,
        "body_bytes_max": settings.body_bytes_max,
    }


async def _run(target: Target, cases: Sequence[Case], *, quiet: bool) -> list[Outcome]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("Playing cases", total=len(cases))
        return await run(target, cases, lambda outcome: bar.update(task, advance=1, description=outcome.case.name))
