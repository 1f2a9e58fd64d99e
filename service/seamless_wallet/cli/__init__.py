"""The command `wallet`."""

from seamless_wallet.cli.root import app, main

__all__ = ["app", "main"]
