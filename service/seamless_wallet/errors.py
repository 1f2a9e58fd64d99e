"""The base of every error that this package raises on purpose, and the one that any room may raise.

Whatever else is raised is a bug. Also how a text that anybody may have written is shown to people.
"""

from __future__ import annotations

from typing import ClassVar

from seamless_wallet.exit_status import EXIT_CONFIG


class WalletError(Exception):
    """Something expected went wrong. Its text is one line for people, and never holds a secret."""

    exit_status: ClassVar[int | None] = None
    """What a command exits with that ends in this error (see `exit_status`). None: no command may end in it."""


class SettingsError(WalletError):
    """A setting is wrong. One line: which one, what is wrong, what to do. Never the value of a secret.

    Also raised where only the use shows it, as of a port that is taken.
    """

    exit_status = EXIT_CONFIG


def printable(text: str) -> str:
    """The text with escapes in place of what XML cannot hold and of what a terminal would obey."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    """The same without a line of its own: a stranger's text cannot look like the next line of ours."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")
