"""Identity (SEMANTICS, Identity): what makes an event, a bet and a round, and what an event says."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from seamless_wallet.commands import Command, Item, Kind, event_digest, fingerprint, round_digest

ITEMS = (Item("1", "player", 100, 95, -100), Item("2", "banker", 50, -50, 0))
EVENT = Command(
    kind=Kind.CHANGE,
    provider="games",
    user_id="kim",
    transaction_id="t",
    timestamp_ms=1,
    received_ms=2,
    currency="KRW",
    game_no="g",
    items=ITEMS,
)


def item(**fields: Any) -> dict[str, Any]:
    """The first item otherwise."""
    return {"items": (structs.replace(ITEMS[0], **fields), ITEMS[1])}


OTHER: dict[str, dict[str, Any]] = {
    "kind": {"kind": Kind.RESULT},
    "currency": {"currency": "USD"},
    "game_no": {"game_no": "h"},
    "amount": {"amount": 1},
    "status": {"status": "blocked"},
    "bet_index": item(bet_index="3"),
    "stake": item(amount=101),
    "winloss": item(winloss=96),
    "winloss before": item(winloss_before=-99),
    "an item fewer": {"items": ITEMS[:1]},
    "amounts of each other": {
        "items": (structs.replace(ITEMS[1], bet_index="1"), structs.replace(ITEMS[0], bet_index="2"))
    },
}
SAME: dict[str, dict[str, Any]] = {
    "another time": {"timestamp_ms": 7, "received_ms": 8},
    "further fields": {"context": {"feedback_data": "x"}},
    "another bet_type": item(bet_type="tie"),
    "items in another order": {"items": ITEMS[::-1]},
}


@pytest.mark.parametrize("fields", OTHER.values(), ids=OTHER)
def test_a_fingerprint_is_all_that_an_event_says(fields: dict[str, Any]):
    """Row 2: with any of it otherwise, the event says something else."""
    assert fingerprint(structs.replace(EVENT, **fields)) != fingerprint(EVENT)


@pytest.mark.parametrize("fields", SAME.values(), ids=SAME)
def test_a_retry_may_differ_in_the_rest(fields: dict[str, Any]):
    """Row 1: the same event says the same still."""
    again = structs.replace(EVENT, **fields)
    assert (event_digest(again), fingerprint(again)) == (event_digest(EVENT), fingerprint(EVENT))


@pytest.mark.parametrize("field", ["provider", "user_id", "transaction_id"])
def test_an_event_is_provider_user_and_transaction(field: str):
    """Row 3: another of either is another event; nothing else makes one."""
    assert event_digest(structs.replace(EVENT, **{field: "other"})) != event_digest(EVENT)
    assert event_digest(structs.replace(EVENT, kind=Kind.BET, game_no="h", items=())) == event_digest(EVENT)


@pytest.mark.parametrize("field", ["provider", "user_id", "game_no"])
def test_a_round_is_provider_user_and_game(field: str):
    """Another of either is another round with other bets; a transaction has no part in it."""
    other, renamed = structs.replace(EVENT, **{field: "other"}), structs.replace(EVENT, transaction_id="u")
    assert round_digest(other) != round_digest(EVENT) == round_digest(renamed)
