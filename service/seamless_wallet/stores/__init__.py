"""The ledger in SQL: SQLite embedded. Everything above it is written against `seamless_wallet.ledger.ports`."""

from seamless_wallet.stores.errors import LeaseHeld, StoreError

__all__ = ["LeaseHeld", "StoreError"]
