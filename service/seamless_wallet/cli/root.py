"""All commands under one name, and what becomes of expected errors: one line on stderr, never a traceback.

Exit status: 0 done; 1 refused, or findings; 2 wrong usage, or no wallet to try; 78 (sysexits.h) cannot work as it is
set up.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from seamless_wallet import __version__
from seamless_wallet.cli import ledger as books
from seamless_wallet.cli import players, processes
from seamless_wallet.cli.conformance import conformance
from seamless_wallet.cli.simulate import simulate
from seamless_wallet.clients.admin_api import AdminError
from seamless_wallet.conformance import ConformanceError
from seamless_wallet.settings import SettingsError
from seamless_wallet.simulator import SimulationError
from seamless_wallet.stores import StoreError

EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_CONFIG: Final = os.EX_CONFIG


class WalletGroup(TyperGroup):
    """Turns expected errors into their one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except (SettingsError, StoreError) as error:
            fail(error, EXIT_CONFIG)
        except (AdminError, SimulationError) as error:
            fail(error, EXIT_REFUSED)
        except ConformanceError as error:
            fail(error, EXIT_USAGE)


def fail(error: Exception, status: int) -> NoReturn:
    """End with one line."""
    typer.echo(f"wallet: {' '.join(str(error).split())}", err=True)
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
    """What stands before every command."""


app.command()(processes.up)
app.command()(processes.serve)
app.command()(processes.write)
app.command()(processes.admin)
app.command()(processes.init)
app.add_typer(processes.config, name="config")
app.add_typer(players.player, name="player")
app.command("trial-balance")(books.trial_balance)
app.command()(books.verify)
app.command()(simulate)
app.command()(conformance)


def main() -> None:
    """The console script."""
    app()
