"""The JSON that the admin API answers. Amounts are decimal strings in the currency's digits, times ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from seamless_wallet.backoffice.problems import Problem, ProblemError
from seamless_wallet.commands import BET_KINDS, Kind
from seamless_wallet.money import format_minor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seamless_wallet.commands import Item
    from seamless_wallet.ledger.entry import Entry
    from seamless_wallet.ledger.fold import Wallet
    from seamless_wallet.ledger.records import LeftOpenRound, PlayedRound

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
        """The digits of a currency in the ledger. Raises ProblemError if the settings no longer have that currency."""
        scale = self._scales.get(currency)
        if scale is None:
            raise ProblemError(Problem.CURRENCY, f"put {currency} back into the setting [currencies]")
        return scale


def json_response(
    body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer that is not an error."""
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")


def player_json(wallet: Wallet, scale: int) -> dict[str, object]:
    """A player's committed state."""
    return {
        "user_id": wallet.user_id,
        "currency": wallet.currency,
        "status": wallet.status,
        "balance": format_minor(wallet.balance, scale),
        "debt": format_minor(wallet.debt, scale),
        "version": wallet.version,
    }


def entry_json(entry: Entry, scale: int) -> dict[str, object]:
    """One ledger entry: what was asked, what it moved, and the wallet after it."""
    command, decision = entry.command, entry.decision
    body: dict[str, object] = {
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
        body["game_no"] = command.game_no
        body["items"] = [
            _item_json(item, command.kind, effect, scale)
            for item, effect in zip(command.items, decision.effects, strict=True)
        ]
    if command.kind is Kind.STATUS:
        body["status"] = command.status
    return body


def balance_json(player: Wallet, entry: Entry, at_ms: int, scale: int) -> dict[str, object]:
    """What a player had at a time: after `entry`, the newest one that had been received by then."""
    return {
        "user_id": player.user_id,
        "at": iso_utc(at_ms),
        "currency": player.currency,
        "balance": format_minor(entry.decision.balance, scale),
        "debt": format_minor(entry.decision.debt, scale),
        "seq": entry.seq,
        "received": iso_utc(entry.command.received_ms),
    }


def _item_json(item: Item, kind: Kind, effect: str, scale: int) -> dict[str, str]:
    body = {
        "bet_index": item.bet_index,
        "bet_type": item.bet_type,
        "effect": _EFFECTS[effect],
        "amount": format_minor(item.amount, scale),
    }
    if kind in {Kind.RESULT, Kind.CHANGE}:
        body["winloss"] = format_minor(item.winloss, scale)
    if kind is Kind.CHANGE:
        body["winloss_before"] = format_minor(item.winloss_before, scale)
    return body


def round_json(round_: PlayedRound, scale: int) -> dict[str, Any]:
    """A round: where its first bet was placed or tombstoned, and its bets."""
    return {
        "placed": iso_utc(round_.placed_ms),
        "seq": round_.seq,
        "provider": round_.provider,
        "game_no": round_.game_no,
        "bets": [
            {
                "bet_index": bet_index,
                "state": bet.state.name.lower(),
                "stake": format_minor(bet.stake, scale),
                "winloss": format_minor(bet.winloss, scale),
                "changes": len(bet.changes),
            }
            for bet_index, bet in sorted(round_.bets.items())
        ],
    }


def left_open_json(found: LeftOpenRound, scale: int) -> dict[str, Any]:
    """A round with its open bets, and whose it is."""
    return {"user_id": found.user_id, "currency": found.currency, **round_json(found.round, scale)}


def trial_balance_json(sums: Mapping[str, Mapping[str, int]], scales: Scales) -> dict[str, Any]:
    """The sums of all accounts by currency and kind of account; a ledger is balanced if each total is zero."""
    currencies = {
        currency: _currency_json(accounts, scales.of(currency)) for currency, accounts in sorted(sums.items())
    }
    return {"currencies": currencies, "balanced": all(sums_of["balanced"] for sums_of in currencies.values())}


def _currency_json(accounts: Mapping[str, int], scale: int) -> dict[str, Any]:
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
