"""Commands for tokens of the back office."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from seamless_wallet.access_roles import ADMIN_NAME, AccessRole, token_digest

token = typer.Typer(no_args_is_help=True, help="Make tokens of the back office.")


@token.callback()
def _token() -> None:
    """Keep `new` a command of its own, although there is no other one."""


@token.command("new")
def new_token(
    name: Annotated[str, typer.Argument(help="Who holds it, as the audit log calls them.", show_default=False)],
    role: Annotated[AccessRole, typer.Option(help="What it is for.", show_default=False)],
) -> None:
    """Make a token, and the lines that let it in. It is shown once: the settings keep only its digest."""
    from seamless_wallet.provider_choices import PROVIDER_NAME
    from seamless_wallet.settings.secret_files import TOKEN_BYTES

    if not PROVIDER_NAME.fullmatch(name) or name == ADMIN_NAME:
        raise typer.BadParameter(f"use a-z, 0-9 and -, and another name than {ADMIN_NAME}", param_hint="NAME")
    made = secrets.token_urlsafe(TOKEN_BYTES)
    typer.echo(f"token of {name}, to be handed over now: {made}\n")
    typer.echo(f'[tokens.{name}]\nrole = "{role.value}"\nsha256 = "{token_digest(made).hex()}"')
    typer.echo("\nAdd these lines to the settings file, and send SIGHUP to the service.", err=True)
