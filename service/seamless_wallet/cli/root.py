"""All commands under one name. An expected error ends a command with one line on stderr, never with a traceback.

The exit status is 0 if the command did its work; else see `seamless_wallet.exit_status`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn, cast

import typer
from typer.core import TyperGroup

from seamless_wallet import __version__
from seamless_wallet.errors import WalletError, one_line

COMMANDS: Final = {
    "up": "processes:up",
    "serve": "processes:serve",
    "write": "processes:write",
    "admin": "processes:admin",
    "init": "processes:init",
    "config": "processes:config",
    "player": "players:player",
    "entries": "history:entries",
    "event": "history:event",
    "rounds": "history:rounds",
    "open-rounds": "history:open_rounds",
    "calls": "calls:calls",
    "explain": "explain:explain",
    "audit": "audit:audit",
    "token": "tokens:token",
    "trial-balance": "ledger:trial_balance",
    "verify": "ledger:verify",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "archive": "archive:archive",
    "copy-ledger": "copy_ledger:copy_ledger",
    "simulate": "simulate:simulate",
    "conformance": "conformance:conformance",
    "docs": "docs:docs",
}
"""Each command, in the order of the help, and where it stands in this room: `module:function`, or `module:group`."""


class LazyCommands(Mapping[str, Any]):
    """The commands by name. Asking for one imports its module; listing the names imports nothing."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"seamless_wallet.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command()(found)
            command = typer.main.get_command(single)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class WalletGroup(TyperGroup):
    """Imports a command when it is asked for. Ends one that raises an expected error with a line and an exit status."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("Any", LazyCommands())

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """All names, without importing what they name."""
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the command line names."""
        try:
            return super().invoke(ctx)
        except WalletError as error:
            if error.exit_status is None:
                raise
            fail(error, error.exit_status)


def fail(error: Exception, status: int) -> NoReturn:
    """Print one line on stderr and exit with this status, also if the line cannot be written."""
    with suppress(OSError):
        typer.echo(f"wallet: {one_line(' '.join(str(error).split()))}", err=True)
    raise typer.Exit(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wallet {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="wallet",
    cls=WalletGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A seamless wallet: answers game providers' webhooks, with a double-entry ledger behind it.",
)


@app.callback()
def _wallet(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Run the command line of this process."""
    app()
