"""Every wrong wallet is caught by the case that names what is wrong with it."""

from __future__ import annotations

import asyncio

import pytest

from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.cases.concurrency import all_of
from tests.conformance.broken import WALLETS
from tests.conformance.playing import failed, results_of
from tests.conformance.reference_wallet import Endpoint, ReferenceBackOffice, Rules


@pytest.mark.parametrize("name", WALLETS)
async def test_a_wrong_wallet_is_caught_by_the_case_that_names_it(name):
    """Each of these cases fails, and passes with the correct wallet (test_reference.py)."""
    made, names = WALLETS[name]
    rules = made() if issubclass(made, Rules) else Rules()
    endpoint = made(rules) if issubclass(made, Endpoint) else Endpoint(rules)
    back_office = made(rules) if issubclass(made, ReferenceBackOffice) else None
    details = failed(await results_of(endpoint, *names, back_office=back_office))
    assert set(details) == set(names)
    assert all("expected" in detail or detail for detail in details.values())


async def test_a_failure_waits_for_what_came_with_it():
    """Nothing goes on behind a case that has failed, where it would move the money of the next one."""
    ended = []

    async def fails() -> None:
        raise CaseFailed("at once")

    async def takes_longer() -> None:
        await asyncio.sleep(0.01)
        ended.append("later")

    with pytest.raises(CaseFailed, match="at once"):
        await all_of([fails(), takes_longer()])
    assert ended == ["later"]
