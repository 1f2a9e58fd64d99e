"""The base of every error that this package raises on purpose. Whatever else is raised is a bug."""

from __future__ import annotations

from typing import ClassVar


class WalletError(Exception):
    """Something expected went wrong. Its text is one line for people, and never holds a secret."""

    exit_status: ClassVar[int | None] = None
    """What a command exits with that ends in this error (see `exit_status`). None: no command may end in it."""
