"""The command `wallet`."""

from service.cli.root import app, main

__all__ = ["app", "main"]
