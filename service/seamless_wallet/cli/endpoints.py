"""Where commands reach the running service: options of the command line first, then the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import Settings
from seamless_wallet.settings.secret_files import read_secret

if TYPE_CHECKING:
    from ssl import SSLContext

    from seamless_wallet.clients.admin_api import AdminClient

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to listen on → one to connect to


def admin_client(
    admin_url: str,
    token_file: Path | None,
    ca_file: Path | None = None,
    client_cert_file: Path | None = None,
    *,
    reason: str = "",
) -> AdminClient:
    """A client of the back office, which says why it does what it does. Raises SettingsError."""
    from seamless_wallet.clients.admin_api import AdminClient

    settings = None if admin_url and token_file else load_checked_settings()
    tls = client_tls(ca_file, client_cert_file, None if admin_url else settings)
    return AdminClient(*_address(settings, admin_url, token_file), tls, reason=" ".join(reason.split()))


def admin_address(admin_url: str, token_file: Path | None) -> tuple[str, str]:
    """URL and token of the back office. The settings are read only if one is not given. Raises SettingsError."""
    settings = None if admin_url and token_file else load_checked_settings()
    return _address(settings, admin_url, token_file)


def client_tls(ca_file: Path | None, client_cert_file: Path | None, own: Settings | None) -> SSLContext | None:
    """Which servers are trusted: those that `ca_file` vouches for, else those of the system (None).

    `own`: the settings of the service, if it is our own one that is called: its certificate is known, so that it is
    trusted whatever the name in it is. Raises SettingsError.
    """
    from seamless_wallet.tls import client_context, pinned_context

    ca = read_secret(ca_file, "--ca-file") if ca_file else ""
    identity = read_secret(client_cert_file, "--client-cert-file") if client_cert_file else ""
    try:
        if own is not None and own.tls_cert is not None and not ca:
            return pinned_context(own.tls_cert.get_secret_value(), identity)
        return client_context(ca, identity) if ca or identity else None
    except ValueError as error:
        raise SettingsError(f"--ca-file, --client-cert-file: one of them {error}") from None


def _address(settings: Settings | None, admin_url: str, token_file: Path | None) -> tuple[str, str]:
    if admin_url or settings is None:
        return admin_url, _token(settings, token_file)
    url = service_url(settings.admin_host, settings.admin_port, "--admin-url", settings.scheme)
    return url, _token(settings, token_file)


def service_url(host: str, port: int, option: str, scheme: str = "http") -> str:
    """The URL of a listener of the settings. Raises SettingsError, which names `option`, if the port is left open."""
    if port == 0:
        raise SettingsError(f"the settings leave the port open (0); pass {option}")
    host = LOOPBACK.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


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
