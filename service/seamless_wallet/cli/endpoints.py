"""Where the running service is reached, by the settings or by what the command line says instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seamless_wallet.clients.admin_api import AdminClient
from seamless_wallet.settings import Settings, SettingsError, load_settings
from seamless_wallet.settings.secret_files import read_secret

if TYPE_CHECKING:
    from seamless_wallet.providers import Provider

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a server binds, translated for its clients

AdminUrl = Annotated[str, typer.Option(help="Back office. Default: as in the settings.", show_default=False)]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="File with the back office's token. Default: as in the settings.", show_default=False),
]


def admin_client(admin_url: str, token_file: Path | None) -> AdminClient:
    """A client of the back office. Raises SettingsError."""
    return AdminClient(*admin_address(admin_url, token_file))


def admin_address(admin_url: str, token_file: Path | None) -> tuple[str, str]:
    """URL and token. The settings are read only for what is not given. Raises SettingsError."""
    if admin_url and token_file:
        return admin_url, _token(None, token_file)
    settings = load_settings()
    return admin_url or url_of(settings.admin_host, settings.admin_port, "--admin-url"), _token(settings, token_file)


def url_of(host: str, port: int, option: str) -> str:
    """The URL of a listener. Raises SettingsError if any free port was asked for."""
    if port == 0:
        raise SettingsError(f"the settings leave the port open (0); say where the service listens with {option}")
    host = ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def provider_of(settings: Settings, name: str) -> Provider:
    """The account of that name, or the only one. Raises SettingsError."""
    from seamless_wallet.processes.provider_accounts import build_providers

    providers = build_providers(settings)
    if name:
        if name not in providers:
            known = ", ".join(providers) or "none"
            raise SettingsError(f"--provider: there is no {name!r} in the settings, only {known}")
        return providers[name]
    if len(providers) != 1:
        known = ", ".join(providers)
        raise SettingsError(
            f"--provider: choose one of {known}" if known else "the settings have no provider; add [providers.<name>]"
        )
    return next(iter(providers.values()))


def _token(settings: Settings | None, token_file: Path | None) -> str:
    """The back office's token. A client never makes one up, as a server does."""
    if token_file is not None:
        return read_secret(token_file, "--admin-token-file").strip()
    if settings is None:
        raise SettingsError("--admin-token-file: is missing; name the file with the back office's token")
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    if not settings.admin_token_path.exists():
        raise SettingsError(
            f"WALLET_ADMIN_TOKEN: there is no {settings.admin_token_path}; start the wallet first, set the token, "
            "or say --admin-token-file"
        )
    return read_secret(settings.admin_token_path, "WALLET_ADMIN_TOKEN")
