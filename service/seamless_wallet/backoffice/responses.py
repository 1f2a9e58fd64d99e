"""What the admin API answers: amounts as decimal strings in the currency's digits, times as ISO-8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from seamless_wallet.backoffice.problems import Problem, ProblemError
from seamless_wallet.commands import BET_KINDS, Kind
from seamless_wallet.money import format_minor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seamless_wallet.commands import Item
    from seamless_wallet.ledger.entry import Entry
    from seamless_wallet.ledger.fold import Wallet

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EFFECTS: Final = {"+": "applied", "-": "none", "t": "tombstone"}
_HOUSE: Final = "house:"


class Scales:
    """How many decimal digits each currency has."""

    def __init__(self, scales: Mapping[str, int]) -> None:
        self._scales = dict(scales)

    def __contains__(self, currency: str) -> bool:
        return currency in self._scales

    def of(self, currency: str) -> int:
        """The digits of a currency that the ledger has; ProblemError if the settings do not have it any more."""
        scale = self._scales.get(currency)
        if scale is None:
            raise ProblemError(Problem.CURRENCY, f"put {currency} back into the setting [currencies]")
        return scale


def answer(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer that is not an error."""
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")


def player_shape(wallet: Wallet, scale: int) -> dict[str, object]:
    """A player's committed state."""
    return {
        "user_id": wallet.user_id,
        "currency": wallet.currency,
        "status": wallet.status,
        "balance": format_minor(wallet.balance, scale),
        "debt": format_minor(wallet.debt, scale),
        "version": wallet.version,
    }


def entry_shape(entry: Entry, scale: int) -> dict[str, object]:
    """One ledger entry: what was asked, what it moved, and the wallet after it."""
    command, decision = entry.command, entry.decision
    shape: dict[str, object] = {
        "shard": entry.shard,
        "epoch": entry.epoch,
        "seq": entry.seq,
        "kind": command.kind,
        "provider": command.provider,
        "transaction_id": command.transaction_id,
        "received": iso_utc(command.received_ms),
        "timestamp": iso_utc(command.timestamp_ms),
        "balance_delta": format_minor(decision.balance_delta, scale),
        "debt_delta": format_minor(decision.debt_delta, scale),
        "balance": format_minor(decision.balance, scale),
        "debt": format_minor(decision.debt, scale),
        "version": decision.version,
        "legs": [{"account": leg.account, "amount": format_minor(leg.amount, scale)} for leg in entry.legs()],
    }
    if command.kind in BET_KINDS:
        shape["game_no"] = command.game_no
        shape["items"] = [
            _item_shape(item, command.kind, effect, scale)
            for item, effect in zip(command.items, decision.effects, strict=True)
        ]
    if command.kind is Kind.STATUS:
        shape["status"] = command.status
    return shape


def _item_shape(item: Item, kind: Kind, effect: str, scale: int) -> dict[str, str]:
    shape = {
        "bet_index": item.bet_index,
        "bet_type": item.bet_type,
        "effect": _EFFECTS[effect],
        "amount": format_minor(item.amount, scale),
    }
    if kind in {Kind.RESULT, Kind.CHANGE}:
        shape["winloss"] = format_minor(item.winloss, scale)
    if kind is Kind.CHANGE:
        shape["winloss_before"] = format_minor(item.winloss_before, scale)
    return shape


def trial_balance_shape(sums: Mapping[str, Mapping[str, int]], scales: Scales) -> dict[str, Any]:
    """The sums of all accounts by currency and kind of account; a ledger is balanced if each total is zero."""
    currencies = {
        currency: _currency_shape(accounts, scales.of(currency)) for currency, accounts in sorted(sums.items())
    }
    return {"currencies": currencies, "balanced": all(shape["balanced"] for shape in currencies.values())}


def _currency_shape(accounts: Mapping[str, int], scale: int) -> dict[str, Any]:
    houses = {name.removeprefix(_HOUSE): sum_ for name, sum_ in accounts.items() if name.startswith(_HOUSE)}
    total = sum(accounts.values())
    return {
        "player": format_minor(accounts.get("player", 0), scale),
        "debt": format_minor(accounts.get("debt", 0), scale),
        "house": format_minor(sum(houses.values()), scale),
        "houses": {name: format_minor(sum_, scale) for name, sum_ in sorted(houses.items())},
        "cash": format_minor(accounts.get("cash", 0), scale),
        "total": format_minor(total, scale),
        "balanced": total == 0,
    }


def iso_utc(epoch_ms: int) -> str:
    """`2026-01-31T12:00:00.000Z`, for the years 1 to 9999."""
    moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
