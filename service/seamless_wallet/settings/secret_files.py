"""Secrets in files: reading them, and generating them once, readable by their owner only."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from seamless_wallet.errors import SettingsError
from seamless_wallet.settings.urls import check_token
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_entries, open_trusted

if TYPE_CHECKING:
    from seamless_wallet.settings.model import Settings

DATA_FILES: Final = (
    "admin.token",
    "demo.key",
    "ledger.sqlite3",
    "pids",
    "redis.sock",
    "run",
    "up.lock",
    "valkey.log",
    "wallet.toml",
)
"""What the wallet keeps in its data directory. What else lies there is never read."""

SECRET_BYTES_MAX: Final = 256 * 1024
"""The certificates of many authorities may be one file."""

TOKEN_BYTES: Final = 32


def read_secret(path: Path, setting: str) -> str:
    """The file's text without the line end that editors add. Raises SettingsError, which names `setting`.

    The message does not repeat the path: somebody may have written the secret itself there. Only that of a file that is
    there, but belongs to somebody else, is told.
    """
    try:
        with os.fdopen(open_trusted(path), "rb") as file:
            raw = file.read(SECRET_BYTES_MAX + 1)
        text = raw.decode().rstrip("\r\n")
    except UntrustedPath as error:
        raise SettingsError(f"{setting}: {error}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise SettingsError(f"{setting}: the file is not UTF-8 text; write the secret as text") from None
        why = error.strerror if isinstance(error, OSError) else "this is no path"
        raise SettingsError(f"{setting}: cannot read the file ({why}); correct its path or mode") from None
    if not text or len(raw) > SECRET_BYTES_MAX:
        raise SettingsError(f"{setting}: the file is empty or too long; write the secret into it, and nothing else")
    return text


def create_private(path: Path, text: str) -> bool:
    """Write a file of mode 0600 that is complete as soon as it is there. False if there is one already: it stays.

    Raises OSError.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            Path(temporary).unlink()
    return True


def create_data_dir(path: Path) -> None:
    """Create the data directory with mode 0700, unless it is there: then check it. Raises SettingsError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot create {path} ({error.strerror}); name a directory you may write to"
        ) from None
    check_data_dir(path)
    if not os.access(path, os.W_OK | os.X_OK):
        raise SettingsError(f"WALLET_DATA_DIR: cannot write to {path}; name a directory you may write to")


def check_data_dir(path: Path) -> None:
    """Whether nobody else can write a data directory, or wrote what the wallet keeps in it. Raises SettingsError.

    What is not there, or cannot be entered, is for whoever uses it to tell.
    """
    try:
        check_directory(path)
        check_entries(path, DATA_FILES)
    except UntrustedPath as error:
        raise SettingsError(f"WALLET_DATA_DIR: {error}") from None
    except OSError:
        return


def create_secret(path: Path, text: str) -> None:
    """Write a generated secret, unless the file is there. Raises SettingsError."""
    try:
        create_private(path, text)
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot create {path} ({error.strerror}); name a directory you may write to"
        ) from None


def admin_token(settings: Settings) -> SecretStr:
    """The back office's token: the one that is set, else the one in the data directory, which the first call creates.

    Raises SettingsError.
    """
    if settings.admin_token is not None:
        return settings.admin_token
    path = settings.admin_token_path
    if not path.exists():
        create_data_dir(settings.data_dir)
        create_secret(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    token = read_secret(path, "WALLET_ADMIN_TOKEN")
    try:
        check_token(token)
    except ValueError as error:
        raise SettingsError(f"WALLET_ADMIN_TOKEN: the token in {path} {error}") from None
    try:
        settings.check_admin_token(SecretStr(token))
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return SecretStr(token)
