"""What `wallet up --demo` does once everything runs: two players with money, and a command to copy."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer

from seamless_wallet.clients.admin_api import AdminClient, AdminError
from seamless_wallet.settings import Settings, admin_token, load_settings
from seamless_wallet.supervisor.supervisor import Listening

PLAYERS: Final = ("demo-1", "demo-2")
CURRENCY: Final = "KRW"
AMOUNT: Final = "1000000.00"
KEY: Final = "demo-deposit"
"""The same at every start: the money comes once."""

SEED: Final = 286
"""One round with every kind of event, and no trouble."""

PLACES: Final = ("WALLET_CONFIG", "WALLET_DATA_DIR")
"""Variables without which another command would read other settings."""


async def greet(settings: Settings, listening: Listening) -> None:
    """Make the players and say what to try. What fails is told and stops nothing."""
    typer.echo("\nThe wallet is ready.")
    for name in settings.providers:
        typer.echo(f"  webhook      {listening.webhook_url}/webhook/{name}")
    typer.echo(f"  back office  {listening.admin_url}   (health: /readyz, metrics: /metrics)")
    if settings.admin_token is None:
        typer.echo(f"  its token    {_relative(settings.admin_token_path)}")
    try:
        if CURRENCY in settings.currencies:
            await _make_players(listening.admin_url, admin_token(settings).get_secret_value())
            typer.echo(f"  players      {', '.join(PLAYERS)}, each with {CURRENCY} {AMOUNT} at the start")
    except AdminError as error:
        typer.echo(f"wallet: the demo players could not be made: {error}", err=True)
        return
    if settings.providers:
        typer.echo(f"\nPlay an encrypted session against it, from another terminal:\n\n  {command(listening)}\n")


async def _make_players(url: str, token: str) -> None:
    async with AdminClient(url, token, persistent=True) as admin:
        for user_id in PLAYERS:
            await admin.create(user_id, CURRENCY)
            await admin.deposit(user_id, AMOUNT, KEY)


def command(listening: Listening, environ: Mapping[str, str] = os.environ) -> str:
    """A command that works from the same directory in another shell."""
    places = {name: environ[name] for name in PLACES if environ.get(name)}
    seen = load_settings(places)
    words = [f"{name}={shlex.quote(value)}" for name, value in places.items()]
    words += [shlex.quote(_program()), "simulate --user", PLAYERS[0], f"--rounds 1 --seed {SEED} --verbose"]
    if not listening.webhook_url.endswith(f"://{seen.webhook_host}:{seen.webhook_port}"):
        words.append(f"--url {listening.webhook_url}")
    if not listening.admin_url.endswith(f"://{seen.admin_host}:{seen.admin_port}"):
        words.append(f"--admin-url {listening.admin_url}")
    if len(seen.providers) > 1:
        words.append(f"--provider {next(iter(seen.providers))}")
    return " ".join(words)


def _program() -> str:
    """How this program was called, as a path from here where that is shorter."""
    beside = Path(sys.executable).with_name("wallet")
    return _relative(beside) if beside.exists() else "wallet"


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
