"""The command `wallet`: one module for each group of its commands; `root` ties them together.

It may know every room. It holds no rule of the wallet: commands parse options, call a room, and print. A command
imports its room when it runs, so that each process loads only its own part.
"""

from seamless_wallet.cli.root import app, main

__all__ = ["app", "main"]
