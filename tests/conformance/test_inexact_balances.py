"""One balance that is no amount of its currency is told once, and does not hide what else is right or wrong."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest

from seamless_wallet.conformance import CaseStatus
from tests.conformance.broken import GrossWinloss
from tests.conformance.playing import failed, results_of
from tests.conformance.reference_wallet import CURRENCY, Account, Endpoint, Rules

EXACT = {"amounts-are-exact", "large-balances-are-exact", "login-tells-the-balance"}
"""The cases whose subject it is."""


class FinerThanTheCurrency(Endpoint):
    """Tells Ann's balance with a part of a minor unit, from the start or since something was taken that is finer."""

    fraction = Decimal("0.005")

    def text(self, echo, answer):
        fields = msgspec.json.Decoder(float_hook=Decimal).decode(super().text(echo, answer))
        if "latest_balance" in fields and echo.user_id == "ann":
            fields["latest_balance"] = fields["latest_balance"] + self.fraction
        return msgspec.json.Encoder(decimal_format="number").encode(fields)


class TakesWhatIsFiner(FinerThanTheCurrency):
    """Takes stakes with any number of digits. What is finer than the currency stays in the balance."""

    fraction = Decimal(0)

    def decode(self, text):
        cut = re.sub(rb"(bet_amount\":\d+\.\d\d)\d+", rb"\1", text)
        if cut != text and b'"event_type":"bet"' in text:
            self.fraction = Decimal("0.004")
        return super().decode(cut)


def wallet(rules: Rules, made: type[Endpoint] = FinerThanTheCurrency) -> Endpoint:
    """A wallet that knows Ann and Bob."""
    for user_id in ("ann", "bob"):
        rules.accounts[user_id] = Account(CURRENCY, balance=2_000_000)
    return made(rules)


@pytest.mark.long
async def test_only_what_is_about_exactness_fails():
    """All other cases pass, and say what could not be judged."""
    results = await results_of(wallet(Rules(grace_s=0.2)), given=("ann", "bob"))
    details = failed(results)
    assert set(details) == EXACT
    assert {detail.partition(",")[0] for detail in details.values()} == {"latest_balance of ann is finer than 2 digits"}
    passed = {name: result.detail for name, result in results.items() if result.status is CaseStatus.PASS}
    assert len(passed) > 150
    remarks = {detail for detail in passed.values() if detail}
    assert remarks == {"balances were judged to within a minor unit: that of ann is finer than 2 digits"}
    assert passed["bet-takes-its-stake"]


async def test_what_else_is_wrong_is_still_found():
    """A minor unit or more is not overlooked."""
    results = await results_of(wallet(GrossWinloss(grace_s=0.2)), "row:50", "row:30", given=("ann",))
    assert "win-credits-stake-and-winloss" in failed(results)
    assert results["bet-takes-its-stake"].status is CaseStatus.PASS


async def test_a_case_that_spoils_the_balance_does_not_spoil_the_next_ones():
    """A wallet takes what is finer than its currency: the case about that fails, and not all that come after it."""
    names = ("finer-than-the-currency", "another-currency", "bet-*", "copies-of-*")
    endpoint = wallet(Rules(grace_s=0.2), TakesWhatIsFiner)
    results = await results_of(endpoint, *names, given=("ann", "bob"))
    assert endpoint.fraction  # type: ignore[attr-defined]
    assert set(failed(results)) == {"finer-than-the-currency"}


@pytest.mark.parametrize("balance", [-5, 10**17])
async def test_a_balance_that_cannot_be_one_is_a_failure(balance):
    """Below 0, or beyond every limit."""
    rules = Rules()
    endpoint = wallet(rules, Endpoint)
    rules.accounts["ann"].balance = balance
    results = await results_of(endpoint, "login-tells-the-balance", given=("ann",))
    assert set(failed(results)) == {"login-tells-the-balance"}
