"""What a ledger says of itself, and whether it is the one that the settings describe: the same for every backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from seamless_wallet.ledger.ports import StoreError

NEWER: Final = "was created by a newer version; install that version or a later one"


class LedgerInfo(msgspec.Struct, frozen=True):
    """Which ledger it is. `scales`: decimal digits of each currency; `used`: currencies with wallets."""

    uuid: str
    shards: int
    scales: dict[str, int]
    used: frozenset[str]


def check_shards(info: LedgerInfo, place: object, shards: int) -> None:
    """Raises StoreError unless the ledger has just so many shards."""
    if info.shards != shards:
        raise StoreError(
            f"the ledger {place} has {info.shards} shards and the settings say {shards}: "
            "the number is fixed when a ledger is made; set it back"
        )


def check_currencies(info: LedgerInfo, place: object, currencies: Mapping[str, int]) -> None:
    """Raises StoreError unless the settings know all used currencies as they are, and no currency is new."""
    for name in sorted(info.used):
        if name not in currencies:
            raise StoreError(f"the ledger {place} has players in {name}; add {name} to [currencies]")
    for name, scale in sorted(currencies.items()):
        if name not in info.scales:
            raise StoreError(f"the currency {name} is new to the ledger {place}: run `wallet init`")
        if info.scales[name] != scale:
            remedy = "set it back" if name in info.used else "run `wallet init`"
            raise StoreError(
                f"the ledger {place} keeps {name} with {info.scales[name]} decimal digits and the settings say "
                f"{scale}: {remedy}"
            )
