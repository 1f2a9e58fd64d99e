"""Commands that start the service or one of its processes, prepare the ledger, and check or show the settings.

Each command imports its own part when it runs: a worker then does not load the supervisor.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from seamless_wallet.errors import SettingsError
from seamless_wallet.observability import logs
from seamless_wallet.observability.structlog_import import structlog
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import Settings, admin_token, ensure_demo
from seamless_wallet.supervisor.terminal import has_terminal, hold_hang_up

if TYPE_CHECKING:
    from seamless_wallet.supervisor.supervisor import ServiceUrls

Fd = Annotated[int | None, typer.Option("--fd", hidden=True)]
SettingsFd = Annotated[int | None, typer.Option("--settings-fd", hidden=True)]
Standby = Annotated[bool, typer.Option("--standby", hidden=True)]
ParentFd = Annotated[int | None, typer.Option("--parent-fd", hidden=True)]

config = typer.Typer(no_args_is_help=True, help="Check or show the settings.")
log = structlog.get_logger(__name__)


def up(
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Create a demo provider, unless there is a configuration, and two players with money."
        ),
    ] = False,
) -> None:
    """Start the service and keep it running: Valkey (unless WALLET_REDIS_URL is set), writer, workers, back office."""
    in_terminal = has_terminal()
    hold_hang_up()
    from seamless_wallet.cli.demo import set_up_demo
    from seamless_wallet.supervisor.supervisor import Supervisor

    logs.redirect_output()
    settings = load_checked_settings()
    logs.configure_logging(settings.log_level)
    _check_existing_files(settings)
    tasks: list[asyncio.Task[None]] = []  # a task that nothing refers to may be collected

    def prepare(settings: Settings) -> Settings:
        if demo and ensure_demo():
            settings = load_checked_settings()
        _ensure_ledger(settings)
        return settings

    def load() -> Settings:
        loaded = load_checked_settings()
        _check_existing_files(loaded)
        return loaded

    def on_ready(urls: ServiceUrls) -> None:
        log.info("ready", webhook=urls.webhook, admin=urls.admin)
        if demo:
            tasks.append(asyncio.create_task(set_up_demo(load_checked_settings(), urls)))

    def on_reload(settings: Settings) -> None:
        logs.configure_logging(settings.log_level)

    supervisor = Supervisor(
        settings, on_ready, prepare=prepare, load=load, on_reload=on_reload, in_terminal=in_terminal
    )
    raise typer.Exit(asyncio.run(supervisor.run()))


def serve(fd: Fd = None, settings_fd: SettingsFd = None, standby: Standby = False, parent_fd: ParentFd = None) -> None:
    """Start one worker, which answers webhooks on a port of its own. With `up`, several workers share a port."""
    hold_hang_up()
    from seamless_wallet.processes.worker import run_worker

    logs.redirect_output()
    raise typer.Exit(run_worker(_settings(settings_fd), fd=fd, standby=standby, parent_fd=parent_fd))


def write(settings_fd: SettingsFd = None, standby: Standby = False, parent_fd: ParentFd = None) -> None:  # noqa: ARG001 - every writer stands by until it has the lease
    """Start the writer, which commits to the ledger what the workers decide. Run exactly one for each ledger."""
    hold_hang_up()
    from seamless_wallet.processes.writer import run_writer

    logs.redirect_output()
    raise typer.Exit(run_writer(_settings(settings_fd), parent_fd=parent_fd))


def admin(fd: Fd = None, settings_fd: SettingsFd = None, standby: Standby = False, parent_fd: ParentFd = None) -> None:
    """Start the back office: players and their money, health, metrics."""
    hold_hang_up()
    from seamless_wallet.processes.admin import run_admin

    logs.redirect_output()
    raise typer.Exit(run_admin(_settings(settings_fd), fd=fd, standby=standby, parent_fd=parent_fd))


def init() -> None:
    """Create the ledger, or bring it up to date with this program and the settings. Repeating it is safe."""
    from seamless_wallet.processes.ledger_connection import init_ledger, ledger_place
    from seamless_wallet.settings.secret_files import create_data_dir

    settings = load_checked_settings()
    _check_ledger_directory(settings)
    if settings.ledger_server is None and settings.ledger_path.parent == settings.data_dir:
        create_data_dir(settings.data_dir)
    uuid = init_ledger(settings)
    typer.echo(f"{ledger_place(settings)}: ledger {uuid}, {settings.shards} shards, {', '.join(settings.currencies)}")


@config.command("check")
def check() -> None:
    """Check the settings. If one is wrong, say which one, and exit with status 78."""
    settings = load_checked_settings()
    _check_ledger_directory(settings)
    _check_token(settings)
    providers = ", ".join(settings.providers) or "none"
    typer.echo(
        f"ok: {settings.config or 'no configuration file, environment and defaults only'}; providers: {providers}"
    )


@config.command("show")
def show() -> None:
    """Show all settings that are in force, as JSON. Secrets are replaced by asterisks."""
    typer.echo(load_checked_settings().model_dump_json(indent=2))


def _settings(handle: int | None) -> Settings:
    """What the parent handed over, or what the environment and the file say. Raises SettingsError."""
    from seamless_wallet.settings.handover import read_settings

    return load_checked_settings() if handle is None else read_settings(handle)


def _check_existing_files(settings: Settings) -> None:
    """Check token and ledger before anything is written. Raises SettingsError or StoreError."""
    from seamless_wallet.processes.ledger_connection import has_ledger, open_ledger

    _check_ledger_directory(settings)
    _check_token(settings)
    if has_ledger(settings):
        open_ledger(settings)


def _check_ledger_directory(settings: Settings) -> None:
    """Refuse a ledger in a directory that does not exist: creating it would start a new ledger at a mistyped path.

    Refuse one that somebody else could have written, too. Raises SettingsError or StoreError.
    """
    from seamless_wallet.stores.sqlite.database import check_files

    if settings.ledger_server is not None:
        return
    directory = settings.ledger_path.parent
    if directory != settings.data_dir and not directory.is_dir():
        raise SettingsError(
            f"WALLET_LEDGER_URL: the directory {directory} does not exist; create it, or correct the path"
        )
    check_files(settings.ledger_path)


def _check_token(settings: Settings) -> None:
    if settings.admin_token_path.exists():
        admin_token(settings)


def _ensure_ledger(settings: Settings) -> None:
    """Create the ledger if there is none. Raises StoreError."""
    from seamless_wallet.processes.ledger_connection import has_ledger, init_ledger, ledger_place

    if not has_ledger(settings):
        uuid = init_ledger(settings)
        log.info("ledger_created", path=ledger_place(settings), uuid=uuid, shards=settings.shards)
