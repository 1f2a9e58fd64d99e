"""Where commands reach the running service: options of the command line first, then the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import Settings
from seamless_wallet.settings.secret_files import read_secret

if TYPE_CHECKING:
    from seamless_wallet.clients.admin_api import AdminClient

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to listen on → one to connect to


def admin_client(admin_url: str, token_file: Path | None) -> AdminClient:
    """A client of the back office. Raises SettingsError."""
    from seamless_wallet.clients.admin_api import AdminClient

    return AdminClient(*admin_address(admin_url, token_file))


def admin_address(admin_url: str, token_file: Path | None) -> tuple[str, str]:
    """URL and token of the back office. The settings are read only if one is not given. Raises SettingsError."""
    if admin_url and token_file:
        return admin_url, _token(None, token_file)
    settings = load_checked_settings()
    return admin_url or service_url(settings.admin_host, settings.admin_port, "--admin-url"), _token(
        settings, token_file
    )


def service_url(host: str, port: int, option: str) -> str:
    """The URL of a listener of the settings. Raises SettingsError, which names `option`, if the port is left open."""
    if port == 0:
        raise SettingsError(f"the settings leave the port open (0); pass {option}")
    host = LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _token(settings: Settings | None, token_file: Path | None) -> str:
    """The back office's token. Unlike a server, a client never generates one."""
    if token_file is not None:
        return read_secret(token_file, "--admin-token-file").strip()
    if settings is None:
        raise SettingsError("--admin-token-file: is missing; pass the file with the back office's token")
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    if not settings.admin_token_path.exists():
        raise SettingsError(
            f"WALLET_ADMIN_TOKEN: there is no {settings.admin_token_path}; start the wallet first, set the token, "
            "or pass --admin-token-file"
        )
    return read_secret(settings.admin_token_path, "WALLET_ADMIN_TOKEN")
