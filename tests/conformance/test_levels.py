"""Levels tell what a sound wallet has to do from what it may do otherwise."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from seamless_wallet.conformance import CaseStatus, Level, all_cases
from tests.conformance.broken import WALLETS
from tests.conformance.other_policies import OtherEndpoint
from tests.conformance.playing import failed, results_of
from tests.conformance.reference_wallet import CURRENCY, Account

ROOT = Path(__file__).resolve().parents[2]
CONFIGURABLE = {"13", "18", "33", "35", "43", "66", "67"}
"""Rows whose choice is a setting, and what follows from it. The provider's guide says nothing of them."""

WHATEVER_THE_CHOICE = {
    "a-balance-is-never-negative",
    "a-cancel-before-its-bet-loses-no-stake",
    "a-placed-bet-needs-no-session",
    "old-bet-that-is-known",
    "what-follows-a-bet-needs-no-session",
}
"""Cases of such rows that hold for every choice."""

LOSES_MONEY = {
    "BetsKnownByTransactionOnly",
    "BlockedForEverything",
    "CancelRefundsWhatItSays",
    "CancelledBetsArePaid",
    "ChangeBelievesBefore",
    "ChangeMakesTheBalanceNegative",
    "ChangesAreReplayed",
    "ChecksForCopiesTooEarly",
    "DoubleCreditOnRetry",
    "FloatMoney",
    "GrossWinloss",
    "IdentitiesWrittenOneAfterTheOther",
    "KeyIsHandedToStrangers",
    "LastResultWins",
    "NegativeBalance",
    "NoTombstone",
    "NotAtomic",
    "PairsAreAppliedOnce",
    "PartialBatch",
    "PartialSettlement",
    "PlayersMadeOnTheFly",
    "ResultIsBelieved",
    "ResultsNeedASession",
    "RoundsAreShared",
    "SettledBetsAreRefunded",
    "StakesBelowZeroArePaid",
    "TransientFailureRemembered",
    "WithdrawalsWithoutEnd",
}
"""Wallets of which each takes, pays or loses money wrongly with ordinary events, or tells the key."""


def test_every_case_has_a_level():
    """And every level has cases; the page shows them."""
    counts = Counter(case.level for case in all_cases())
    assert set(counts) == set(Level)
    assert counts[Level.MUST] > 80
    page = (ROOT / "docs" / "conformance.md").read_text()
    for case in all_cases():
        assert isinstance(case.level, Level)
        assert re.search(rf"^\| `{case.name}` \| {case.level.value} \| {case.row} \|", page, re.MULTILINE), case.name


def test_no_choice_of_ours_is_a_must():
    """What a setting decides is one sound choice among several, but for what holds whatever is chosen."""
    musts = {case.name for case in all_cases() if case.level is Level.MUST and case.row in CONFIGURABLE}
    assert musts == WHATEVER_THE_CHOICE


async def test_a_sound_wallet_with_other_policies_passes_what_it_must():
    """And much else fails, so that it really has other policies; each of those cases is told."""
    endpoint = OtherEndpoint()
    results = await results_of(endpoint, session="required")
    details = failed(results)
    assert {name: detail for name, detail in details.items() if results[name].case.level is Level.MUST} == {}
    assert {name for name, result in results.items() if result.status is CaseStatus.SKIP} <= {
        "bet-just-after-the-logout",
        "bet-in-the-grace-opens-nothing",
    }
    assert {
        "ids-of-128-characters",
        "changes-of-a-bet-are-limited",
        "unknown-provider",
        "body-over-the-limit",
        "stake-of-zero",
        "declines-tell-the-balance",
        "conflict-of-amounts",
        "declined-bet-stays-declined",
        "cancel-of-an-unknown-bet",
        "win-pays-the-debt-first",
        "strangers-get-no-key",
        "totals-that-are-no-sums",
        "keys-that-are-there-twice",
        "any-content-type",
        "blocked-player-cannot-bet",
        "large-balances-are-exact",
    } <= set(details)
    assert len(details) > 50


async def test_a_sound_wallet_passes_with_given_players_too():
    """Who have no back office."""
    endpoint = OtherEndpoint()
    for user_id in ("ann", "bob"):
        endpoint.rules.accounts[user_id] = Account(CURRENCY, balance=100_000)
    results = await results_of(endpoint, "level:must", given=("ann", "bob"))
    assert failed(results) == {}
    assert Counter(result.status for result in results.values())[CaseStatus.PASS] > 70


@pytest.mark.parametrize("name", sorted(LOSES_MONEY))
def test_a_wallet_that_loses_money_fails_what_it_must_pass(name):
    """So a run at the least level is enough to keep it from going live.

    Each case that names what is wrong with it fails (test_broken.py), and one of them is a must.
    """
    musts = {case.name for case in all_cases() if case.level is Level.MUST}
    _, names = WALLETS[name]
    assert musts & set(names)
