"""Every wrong wallet is caught by the case that names what is wrong with it."""

from __future__ import annotations

import pytest

from service.commands import Code
from service.conformance import all_cases
from tests.conformance.broken import WALLETS, SaysAlways
from tests.conformance.playing import failed, outcomes_of
from tests.conformance.reference_wallet import Desk, Endpoint, Rules


@pytest.mark.parametrize("name", WALLETS)
async def test_a_wrong_wallet_is_caught_by_the_case_that_names_it(name):
    """Each of these cases fails, and passes with the correct wallet (test_reference.py)."""
    made, names = WALLETS[name]
    rules = made() if issubclass(made, Rules) else Rules()
    endpoint = made(rules) if issubclass(made, Endpoint) else Endpoint(rules)
    desk = made(rules) if issubclass(made, Desk) else None
    details = failed(await outcomes_of(endpoint, *names, desk=desk))
    assert set(details) == set(names)
    assert all("expected" in detail or detail for detail in details.values())


async def test_no_case_is_passed_by_every_wallet_that_does_not_think():
    """A case that cannot fail is a defect: each fails for a wallet that says R0, R1, R2, R3 or R4 to everything."""
    passed = {case.name for case in all_cases()}
    for code in Code:
        endpoint = SaysAlways(Rules(), code)
        outcomes = await outcomes_of(endpoint, desk=Desk(endpoint.rules), concurrency=100)
        passed -= set(failed(outcomes))
    assert passed == set()
