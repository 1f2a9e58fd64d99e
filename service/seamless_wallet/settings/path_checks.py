"""The paths that the settings name: their names, and whether others could have written what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from unicodedata import category
from urllib.parse import parse_qsl, urlsplit

from seamless_wallet.errors import SettingsError
from seamless_wallet.settings.secret_files import check_data_dir
from seamless_wallet.settings.urls import TLS_DIRECTORIES, TLS_FILES
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from seamless_wallet.settings.model import Settings

_UNSHOWABLE: Final = frozenset({"Cc", "Cs"})
"""Control characters, which would break lines of messages, and bytes that are no UTF-8, which JSON cannot hold."""


def check_name(setting: str, path: Path) -> None:
    """Refuse a path that no message could show in one line. Raises SettingsError."""
    if any(category(char) in _UNSHOWABLE for char in str(path)):
        raise SettingsError(
            f"{setting}: {str(path)!a} has control characters or bytes that are not UTF-8; choose another name"
        )


def check_paths(settings: Settings) -> None:
    """Refuse names that cannot be shown, and whatever somebody else could have written. Raises SettingsError."""
    check_name("WALLET_DATA_DIR", settings.data_dir)
    check_name("WALLET_LEDGER_URL", settings.ledger_path)
    check_data_dir(settings.data_dir)
    for directory in {settings.redis_socket_path.parent, settings.run_dir.parent} - {settings.data_dir}:
        _check("WALLET_DATA_DIR", directory, check_directory)
    for option, path in _tls_paths(settings):
        check = check_directory if option in TLS_DIRECTORIES else check_file
        _check(f"WALLET_REDIS_URL: {option}", path, check)


def _check(setting: str, path: Path, check: Callable[[Path], None]) -> None:
    """A path that is not there, or cannot be read, is for whoever uses it to tell."""
    try:
        check(path)
    except UntrustedPath as error:
        raise SettingsError(f"{setting}: {error}") from None
    except OSError:
        return


def _tls_paths(settings: Settings) -> list[tuple[str, Path]]:
    """The files of certificates and keys that the URL of Redis names."""
    if settings.redis_url is None:
        return []
    options = parse_qsl(urlsplit(settings.redis_url.get_secret_value()).query)
    return [(option, Path(value)) for option, value in options if option in TLS_FILES | TLS_DIRECTORIES]
