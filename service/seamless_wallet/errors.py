"""The base of every error that this package raises on purpose. Whatever else is raised is a bug."""

from __future__ import annotations


class WalletError(Exception):
    """Something expected went wrong. Its text is one line for people, and never holds a secret."""
