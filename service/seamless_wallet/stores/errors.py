"""What can go wrong with a ledger's database, other than the entries themselves."""

from __future__ import annotations

from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_CONFIG


class StoreError(WalletError, OSError):
    """The database is away, damaged, or not the one that the settings describe. One line that says what to do.

    After a `commit` that raised it the outcome is unknown: send the same entries again.
    """

    exit_status = EXIT_CONFIG


class LeaseHeld(StoreError):
    """Another process is this ledger's writer."""
