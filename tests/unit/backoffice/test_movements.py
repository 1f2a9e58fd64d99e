"""Deposits and withdrawals over HTTP: rows 70 and 71."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Answer, Code, Kind
from tests.unit.backoffice.doubles import (
    fields,
    slug,
)


async def test_row_70_a_deposit_with_the_same_key_and_body_replays(office):
    """201 again, marked as replayed, and the money moved once; `100.00` and `100` are the same body."""
    await office.create()
    status, _, first = await office.move("deposits", "100.00", "k1")
    assert status == 201
    assert first == {
        "user_id": "ann",
        "transaction_id": "k1",
        "kind": "deposit",
        "currency": "KRW",
        "amount": "100.00",
        "balance": "100.00",
        "debt": "0.00",
        "replayed": False,
    }
    status, _, second = await office.move("deposits", "100", "k1")
    assert (status, second) == (201, first | {"replayed": True})
    assert office.ledger.players["ann"].balance == 10_000


async def test_row_70_the_same_key_for_something_else_is_422(office):
    """Another amount, and the other direction."""
    await office.create()
    await office.move("deposits", "100.00", "k1")
    for what, amount in (("deposits", "100.01"), ("withdrawals", "100.00")):
        status, _, body = await office.move(what, amount, "k1")
        assert (status, slug(body)) == (422, "key-reused")
    assert office.ledger.players["ann"].balance == 10_000


@pytest.mark.parametrize("key", [None, "x" * 129, "ключ", "a\tb"])
async def test_row_70_a_movement_needs_a_good_key(office, key):
    """Missing, too long, not ASCII, not printable: 400."""
    await office.create()
    status, _, body = await office.move("deposits", "1", key)
    assert (status, fields(body)) == (400, ["Idempotency-Key"])


async def test_row_70_blocked_players_may_be_paid_but_not_withdraw(office):
    """Deposit 201, withdrawal 409 and not stored under its key."""
    await office.create()
    await office.call("PATCH", "/v1/players/ann", {"status": "blocked"})
    assert (await office.move("deposits", "5", "k1"))[0] == 201
    status, _, body = await office.move("withdrawals", "5", "k2")
    assert (status, slug(body)) == (409, "player-blocked")
    await office.call("PATCH", "/v1/players/ann", {"status": "active"})
    status, _, body = await office.move("withdrawals", "5", "k2")
    assert (status, body["balance"], body["replayed"]) == (201, "0.00", False)


async def test_row_71_a_withdrawal_over_balance_less_debt_is_409(office):
    """Nothing moves, and the key is still free."""
    await office.create()
    await office.move("deposits", "5", "k1")
    status, _, body = await office.move("withdrawals", "5.01", "k2")
    assert (status, slug(body)) == (409, "insufficient-funds")
    assert (await office.move("withdrawals", "5", "k2"))[0] == 201


@pytest.mark.parametrize(
    "amount", ["0", "-1", "1.001", "1e2", "NaN", "", " 1", "9" * 30, "90071992547409.92", "\u0661"]
)
async def test_a_wrong_amount_is_400(office, amount):
    """Only plain decimal numbers over 0, no finer than the currency and under the cap."""
    await office.create()
    status, _, body = await office.move("deposits", amount, "k")
    assert (status, fields(body)) == (400, ["amount"])
    assert [command.kind for command in office.wallet.commands] == [Kind.CREATE]


async def test_amounts_are_strings_in_the_digits_of_the_currency(office):
    """A JSON number is refused; yen have no fraction."""
    await office.create("ann", "JPY")
    assert (await office.move("deposits", 100, "k"))[0] == 400
    assert (await office.move("deposits", "100.5", "k"))[0] == 400
    assert (await office.move("deposits", "100", "k"))[2]["balance"] == "100"


async def test_a_balance_over_the_limit_is_409(office):
    """The wallet's R1 overflow is no transient fault."""
    await office.create()
    office.wallet.answer = Answer(Code.R1, "overflow", 0, 0, "KRW")
    status, headers, body = await office.move("deposits", "1", "k")
    assert (status, slug(body), "Retry-After" in headers) == (409, "balance-limit", False)


@pytest.mark.parametrize("reason", ["deadline", "redis", "backlog"])
async def test_an_unknown_outcome_is_503_and_says_what_to_do(office, reason):
    """For every command of the back office."""
    await office.create()
    office.wallet.answer = Answer(Code.R1, reason)
    replies = [
        await office.move("deposits", "1", "k"),
        await office.move("withdrawals", "1", "k"),
        await office.call("PATCH", "/v1/players/ann", {"status": "blocked"}),
        await office.create("bob"),
    ]
    for status, headers, body in replies:
        assert (status, headers["Retry-After"], slug(body)) == (503, "1", "outcome-unknown")
        assert body["detail"] == "outcome unknown: repeat with the same Idempotency-Key"
