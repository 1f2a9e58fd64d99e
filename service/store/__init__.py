"""The ledger in SQL: SQLite embedded. Everything above it is written against `service.entry.protocols`."""

from service.store.errors import LeaseHeld, StoreError

__all__ = ["LeaseHeld", "StoreError"]
