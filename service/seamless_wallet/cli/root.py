"""All commands under one name. An expected error ends a command with one line on stderr, never with a traceback.

The exit status is 0 if the command did its work; else see `seamless_wallet.exit_status`.
"""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from seamless_wallet import __version__
from seamless_wallet.cli import ledger as books
from seamless_wallet.cli import players, processes
from seamless_wallet.cli.conformance import conformance
from seamless_wallet.cli.simulate import simulate
from seamless_wallet.clients.admin_api import AdminError
from seamless_wallet.conformance import ConformanceError
from seamless_wallet.exit_status import EXIT_CONFIG, EXIT_FAILURE, EXIT_USAGE
from seamless_wallet.settings import SettingsError
from seamless_wallet.simulator import SimulationError
from seamless_wallet.stores.errors import StoreError


class WalletGroup(TyperGroup):
    """Ends a command that raises an expected error with one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the command line names."""
        try:
            return super().invoke(ctx)
        except (SettingsError, StoreError) as error:
            fail(error, EXIT_CONFIG)
        except (AdminError, SimulationError) as error:
            fail(error, EXIT_FAILURE)
        except ConformanceError as error:
            fail(error, EXIT_USAGE)


def fail(error: Exception, status: int) -> NoReturn:
    """Print one line on stderr and exit with this status."""
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
    """Options that stand before the command."""


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
    """Run the command line of this process."""
    app()
