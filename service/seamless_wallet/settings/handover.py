"""Settings on their way from a process to its child: as JSON in a file that has no name, secrets included.

The child does what its parent has checked, whatever has become of the settings file since. No secret stands in its
command line or its environment, where other programs show it.

    fd = settings_file(settings)    # the parent; the child inherits it
    settings = read_settings(fd)    # the child
"""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import SecretStr

from seamless_wallet.settings.model import Settings


def settings_file(settings: Settings) -> int:
    """A file descriptor from which `read_settings` reads these settings once. Close it when the child has it."""
    handle = os.memfd_create("settings")
    with open(handle, "wb", closefd=False) as file:
        file.write(json.dumps(settings.model_dump(), default=_plain).encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def read_settings(handle: int) -> Settings:
    """The settings in the file of `settings_file`, which is closed."""
    with open(handle, "rb") as file:
        return Settings.model_validate_json(file.read())


def _plain(value: object) -> str:
    """The text from which pydantic makes the value again."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path | IPv4Network | IPv6Network):
        return str(value)
    raise TypeError(f"a setting of type {type(value).__name__} cannot be handed over")
