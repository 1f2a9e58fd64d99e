"""Start the service, whole or one process of it; prepare it; look at its settings.

Each command imports its own part when it runs: a worker need not pay for the supervisor, and the counters of all
processes are only shared if the parent names their directory before the first of them is imported.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from seamless_wallet.settings import Settings, SettingsError, admin_token, ensure_demo, load_settings

if TYPE_CHECKING:
    from seamless_wallet.supervisor.supervisor import Listening

Fd = Annotated[int | None, typer.Option("--fd", hidden=True)]
LifelineFd = Annotated[int | None, typer.Option("--lifeline-fd", hidden=True)]

config = typer.Typer(no_args_is_help=True, help="Look at the settings.")
log = structlog.get_logger(__name__)


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Invent a provider and two players with money, unless WALLET_CONFIG is set.")
    ] = False,
) -> None:
    """Start everything and keep it running: Redis (unless WALLET_REDIS_URL is set), writer, workers, back office."""
    from seamless_wallet.cli import demo as demonstration
    from seamless_wallet.observability import logs
    from seamless_wallet.supervisor.supervisor import Supervisor

    settings = load_settings()
    logs.configure(settings.log_level)
    _check_what_is_there(settings)
    greeting: list[asyncio.Task[None]] = []

    def prepare() -> None:
        if demo:
            ensure_demo()
        _ensure_ledger(settings)

    def on_ready(listening: Listening) -> None:
        log.info("ready", webhook=listening.webhook_url, admin=listening.admin_url)
        if demo:
            greeting.append(asyncio.create_task(demonstration.greet(load_settings(), listening)))

    raise typer.Exit(asyncio.run(Supervisor(settings, on_ready, prepare=prepare).run()))


def serve(fd: Fd = None, lifeline_fd: LifelineFd = None) -> None:
    """Answer webhooks: one worker on a port of its own (`up` lets several share one)."""
    from seamless_wallet.processes.worker import run_worker

    raise typer.Exit(run_worker(load_settings(), fd=fd, lifeline_fd=lifeline_fd))


def write(lifeline_fd: LifelineFd = None) -> None:
    """Commit what the workers decide to the ledger: exactly one per ledger."""
    from seamless_wallet.processes.writer import run_writer

    raise typer.Exit(run_writer(load_settings(), lifeline_fd=lifeline_fd))


def admin(fd: Fd = None, lifeline_fd: LifelineFd = None) -> None:
    """Serve the back office: players and their money, health, metrics."""
    from seamless_wallet.processes.admin import run_admin

    raise typer.Exit(run_admin(load_settings(), fd=fd, lifeline_fd=lifeline_fd))


def init() -> None:
    """Make the ledger, or bring it up to date with this program and the settings. Harmless to repeat."""
    from seamless_wallet.settings.secret_files import create_data_dir
    from seamless_wallet.stores.sqlite import init as init_ledger

    settings = load_settings()
    _check_place(settings)
    if settings.ledger_path.parent == settings.data_dir:
        create_data_dir(settings.data_dir)
    uuid = init_ledger(settings.ledger_path, settings.shards, settings.currencies)
    typer.echo(f"{settings.ledger_path}: ledger {uuid}, {settings.shards} shards, {', '.join(settings.currencies)}")


@config.command("check")
def check() -> None:
    """Say whether the settings are right; if not, which one is wrong (exit status 78)."""
    from seamless_wallet.processes.provider_accounts import build_providers

    settings = load_settings()
    _check_place(settings)
    _check_token(settings)
    providers = ", ".join(build_providers(settings)) or "none"
    typer.echo(f"ok: {settings.config or 'no file, the environment and defaults only'}; providers: {providers}")


@config.command("show")
def show() -> None:
    """All settings as they are in force, as JSON; secrets are starred out."""
    typer.echo(load_settings().model_dump_json(indent=2))


def _check_what_is_there(settings: Settings) -> None:
    """Refuse what contradicts the settings, before anything is written. Raises SettingsError or StoreError."""
    from seamless_wallet.processes.provider_accounts import build_providers
    from seamless_wallet.stores.sqlite.setup import read_checked

    _check_place(settings)
    _check_token(settings)
    build_providers(settings)
    if settings.ledger_path.exists():
        read_checked(settings.ledger_path, settings.shards, settings.currencies)


def _check_place(settings: Settings) -> None:
    """A directory is only made where the settings speak of one: a mistyped path would begin another ledger."""
    directory = settings.ledger_path.parent
    if directory != settings.data_dir and not directory.is_dir():
        raise SettingsError(
            f"WALLET_LEDGER_URL: the directory {directory} does not exist; make it, or correct the path"
        )


def _check_token(settings: Settings) -> None:
    if settings.admin_token_path.exists():
        admin_token(settings)


def _ensure_ledger(settings: Settings) -> None:
    """Make the ledger if there is none. Raises StoreError."""
    from seamless_wallet.stores.sqlite import init as init_ledger

    path = settings.ledger_path
    if not path.exists():
        uuid = init_ledger(path, settings.shards, settings.currencies)
        log.info("ledger_created", path=str(path), uuid=uuid, shards=settings.shards)
