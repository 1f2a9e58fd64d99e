"""Secrets in files: read with care, and generated once, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from seamless_wallet.settings.model import SettingsError
from seamless_wallet.settings.urls import check_token

if TYPE_CHECKING:
    from seamless_wallet.settings.model import Settings

SECRET_BYTES_MAX: Final = 4096
TOKEN_BYTES: Final = 32


def read_secret(path: Path, setting: str) -> str:
    """The file's text without the line end that editors add. Raises SettingsError, naming `setting`.

    The path is not repeated: somebody may have written the secret there.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(SECRET_BYTES_MAX + 1)
        text = raw.decode().rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read that file ({error.strerror}); correct its path or mode") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}: that file is not UTF-8 text; write the secret as text") from None
    if not text or len(raw) > SECRET_BYTES_MAX:
        raise SettingsError(f"{setting}: that file is empty or too long; it holds the secret and nothing else")
    return text


def create_private(path: Path, text: str) -> bool:
    """Write a file that is at once complete, mode 0600 and never an overwritten one; False if there was one.

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
    """Make the data directory, mode 0700 if it is new. Raises SettingsError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot create {path} ({error.strerror}); name a directory you may write to"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise SettingsError(f"WALLET_DATA_DIR: cannot write to {path}; name a directory you may write to")


def create_secret(path: Path, text: str) -> None:
    """As `create_private`, for a setting's generated secret. Raises SettingsError."""
    try:
        create_private(path, text)
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot create {path} ({error.strerror}); name a directory you may write to"
        ) from None


def admin_token(settings: Settings) -> SecretStr:
    """The back office's token: the one set, else the one in the data directory, made by the first caller.

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
        raise SettingsError(f"WALLET_ADMIN_TOKEN: what stands in {path} {error}") from None
    return SecretStr(token)
