"""Every wrong wallet is caught by the case that names what is wrong with it."""

from __future__ import annotations

import pytest

from tests.conformance.broken import WALLETS
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
