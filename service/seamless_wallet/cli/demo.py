"""What `wallet up --demo` does when the service is ready: create two players with money, and print what to try."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from ssl import SSLContext
from typing import Final

import typer

from seamless_wallet.cli.endpoints import client_tls
from seamless_wallet.clients.admin_api import AdminClient, AdminError
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import Settings, admin_token
from seamless_wallet.supervisor.supervisor import ServiceUrls

PLAYERS: Final = ("demo-1", "demo-2")
CURRENCY: Final = "KRW"
AMOUNT: Final = "1000000.00"
KEY: Final = "demo-deposit"
"""The idempotency key: the same at every start, so that the money is deposited once."""

SEED: Final = 286
"""Plays one round with every kind of event and no simulated fault."""

LOCATION_VARIABLES: Final = ("WALLET_CONFIG", "WALLET_DATA_DIR")
"""Variables without which another command would read other settings."""


async def set_up_demo(settings: Settings, urls: ServiceUrls) -> None:
    """Create the demo players and print what to try. A failure is printed, and the service goes on."""
    typer.echo("\nThe wallet is ready.")
    for name in settings.providers:
        typer.echo(f"  webhook      {urls.webhook}/webhook/{name}")
    typer.echo(f"  back office  {urls.admin}   (health: /readyz, metrics: /metrics)")
    if settings.admin_token is None:
        typer.echo(f"  its token    {_relative(settings.admin_token_path)}")
    try:
        if CURRENCY in settings.currencies:
            token = admin_token(settings).get_secret_value()
            await _create_players(urls.admin, token, client_tls(None, None, settings))
            typer.echo(f"  players      {', '.join(PLAYERS)}, each with {CURRENCY} {AMOUNT} at the start")
    except AdminError as error:
        typer.echo(f"wallet: the demo players could not be created: {error}", err=True)
        return
    if settings.providers:
        typer.echo(f"\nPlay an encrypted session against it, from another terminal:\n\n  {simulate_command(urls)}\n")


async def _create_players(url: str, token: str, tls: SSLContext | None) -> None:
    async with AdminClient(url, token, tls, persistent=True) as admin:
        for user_id in PLAYERS:
            await admin.create(user_id, CURRENCY)
            await admin.deposit(user_id, AMOUNT, KEY)


def simulate_command(urls: ServiceUrls, environ: Mapping[str, str] = os.environ) -> str:
    """A shell command that plays a session against this service. It works in another shell, in the same directory."""
    locations = {name: environ[name] for name in LOCATION_VARIABLES if environ.get(name)}
    seen = load_checked_settings(locations)  # by the command
    words = [f"{name}={shlex.quote(value)}" for name, value in locations.items()]
    words += [shlex.quote(_program()), "simulate"]
    is_elsewhere = not (
        urls.webhook.endswith(f"://{seen.webhook_host}:{seen.webhook_port}")
        and urls.admin.endswith(f"://{seen.admin_host}:{seen.admin_port}")
    )
    if is_elsewhere:
        words += [urls.webhook, f"--admin-url {urls.admin}"]
    words += ["--player", PLAYERS[0], f"--rounds 1 --seed {SEED} --verbose"]
    if len(seen.providers) > 1:
        words.append(f"--provider {next(iter(seen.providers))}")
    return " ".join(words)


def _program() -> str:
    """The path of the program `wallet`, relative to the working directory where that is possible."""
    beside = Path(sys.executable).with_name("wallet")
    return _relative(beside) if beside.exists() else "wallet"


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
