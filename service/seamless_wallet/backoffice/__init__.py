"""The back office: players, deposits and withdrawals, the ledger read back, health and metrics, over HTTP."""

from seamless_wallet.backoffice.application import build_app

__all__ = ["build_app"]
