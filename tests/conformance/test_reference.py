"""The correct wallet passes every case, whatever there is beside its webhook and however it is configured."""

from __future__ import annotations

from typing import Any

import pytest

from seamless_wallet.clients.back_office_ports import BackOfficeRefused
from seamless_wallet.clients.target import OperatorChoices
from seamless_wallet.conformance import CaseStatus, all_cases
from seamless_wallet.conformance.case_context import FUNDS, CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.run_context import RunContext
from tests.conformance.playing import GIVEN, failed, results_of, skipped
from tests.conformance.reference_wallet import (
    CURRENCY,
    KEY,
    SCALE,
    Account,
    Endpoint,
    ReferenceBackOffice,
    Rules,
    reference_provider,
)


def with_given_players(**choices) -> Rules:
    """A wallet that knows two players with some money."""
    rules = Rules(**choices)
    for number, user_id in enumerate(GIVEN):
        rules.accounts[user_id] = Account(CURRENCY, balance=123_456 + number)
    return rules


async def test_a_correct_wallet_passes_every_case():
    """With a back office nothing is skipped."""
    results = await results_of(Endpoint(Rules()))
    assert failed(results) == {}
    assert skipped(results) == {}
    assert len(results) == len(all_cases()) > 80


async def test_two_players_are_enough_for_most_cases():
    """Without new players, deposits and blocks only the cases that are about them are skipped, with the reason."""
    results = await results_of(Endpoint(with_given_players(grace_s=0.3)), given=GIVEN)
    assert failed(results) == {}
    missing = skipped(results)
    assert len(results) - len(missing) > 160
    assert all(reason.startswith("needs ") for reason in missing.values())
    assert {"blocked-player-cannot-bet", "change-after-a-withdrawal", "players-and-events-do-not-run-together"} <= set(
        missing
    )


async def test_given_players_may_have_money_from_a_back_office():
    """Then only what needs new players is skipped, and nobody is left blocked, in debt or with another's money."""
    rules = with_given_players()
    rows = [f"row:{row}" for row in (21, 22, 23, 32, 40, 50, 61, 66, 67, 70, 71, 72)]
    results = await results_of(Endpoint(rules), *rows, given=GIVEN, back_office=ReferenceBackOffice(rules))
    assert failed(results) == {}
    assert {reason.partition(":")[0] for reason in skipped(results).values()} == {"needs new players"}
    assert set(rules.accounts) == set(GIVEN)
    for account in rules.accounts.values():
        assert (account.blocked, account.debt) == (False, 0)


async def test_one_player_is_enough_to_begin():
    """What needs a second one is skipped."""
    results = await results_of(Endpoint(with_given_players()), "transaction-id-*", "bet-takes-*", given=GIVEN[:1])
    assert failed(results) == {}
    assert skipped(results) == {
        "transaction-id-of-another-player": "needs a second player: pass --player twice, or --admin-url or --hook"
    }


async def test_a_poor_player_wins_what_a_case_needs():
    """Without a back_office, money comes from a round that is won."""
    rules = Rules()
    rules.accounts["ann"] = Account(CURRENCY)
    results = await results_of(Endpoint(rules), "bet-of-the-whole-balance", given=("ann",))
    assert failed(results) == skipped(results) == {}


class PoorBackOffice(ReferenceBackOffice):
    """Has money for three players, and a limit of what it gives at once."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.deposits = 0

    def deposit(self, account, minor):
        self.deposits += 1
        if self.deposits > 3 or minor > 2 * FUNDS:
            raise BackOfficeRefused("no more money")
        super().deposit(account, minor)


async def test_a_back_office_without_money_is_not_asked_again():
    """The case that it refuses fails; those after it that need a player are not played, and say why."""
    rules = Rules()
    back_office = PoorBackOffice(rules)
    results = await results_of(Endpoint(rules), "row:30", "row:16", "row:10", back_office=back_office, concurrency=1)
    assert set(failed(results).values()) == {"a player cannot be made: no more money"}
    assert len(failed(results)) == 1
    reasons = set(skipped(results).values())
    assert reasons == {"not played: a player cannot be made: no more money"}
    assert back_office.deposits == 4
    assert results["unknown-provider"].status is CaseStatus.PASS


async def test_a_back_office_that_refuses_much_is_asked_for_less():
    """A limit of one deposit is the failure of the case that asks for so much."""
    nothing: Any = None
    run = RunContext(nothing, PoorBackOffice(Rules()), currency=CURRENCY, scale=SCALE, choices=OperatorChoices())
    with pytest.raises(CaseFailed, match="no more money"):
        await CaseContext(run).player(3 * FUNDS, login=False)
    assert (await CaseContext(run).player(login=False)).has > FUNDS


@pytest.mark.parametrize(
    "changes",
    [{"cipher": "aes-256-gcm"}, {"reply_body": "json-string"}, {"api_key": KEY.encode().hex(), "key_encoding": "hex"}],
    ids="-".join,
)
async def test_another_envelope_is_another_correct_wallet(changes):
    """The cases do not depend on the cipher, on how the key is spelt, or on how a body is wrapped."""
    results = await results_of(
        Endpoint(Rules(), reference_provider(**changes)), "row:10", "row:13", "row:wire", "row:20"
    )
    assert failed(results) == skipped(results) == {}


@pytest.mark.parametrize(
    "choices",
    [
        {"session": "off"},
        *(
            pytest.param(choices, marks=pytest.mark.long)
            for choices in ({"cancel_unknown": "r3"}, {"change_overdraw": "reject"}, {"bet_age_max_s": 60})
        ),
    ],
    ids=lambda choices: "=".join(map(str, *choices.items())),
)
async def test_another_choice_is_another_correct_wallet(choices):
    """The configurable rows are checked as they were chosen; only what the choice makes impossible is skipped."""
    results = await results_of(Endpoint(Rules(**choices)), **choices)
    assert failed(results) == {}
    assert len(skipped(results)) < 15
    for reason in skipped(results).values():
        assert reason.startswith("is only for --")


@pytest.mark.parametrize(
    ("choices", "caught"),
    [
        ({"session": "off"}, {"bet-without-a-session", "bet-long-after-the-logout"}),
        ({"cancel_unknown": "r3"}, {"cancel-of-an-unknown-bet", "bet-after-the-cancel-that-came-first"}),
        ({"change_overdraw": "reject"}, {"change-that-takes-more-than-the-balance"}),
        ({"bet_age_max_s": 60}, {"bet-stamped-in-the-past", "new-bet-in-an-old-batch"}),
    ],
    ids=["session", "cancel_unknown", "change_overdraw", "bet_age_max_s"],
)
async def test_a_choice_that_was_not_told_is_a_failure(choices, caught):
    """A wallet that is not configured as it is said to be does not pass."""
    assert set(failed(await results_of(Endpoint(Rules(**choices)), *caught))) == caught


class Unsteady(Endpoint):
    """Every third answer is lost, after it was decided."""

    async def handle(self, request):
        self.calls = getattr(self, "calls", 0) + 1
        answer = await super().handle(request)
        if self.calls % 3 == 0:
            request.transport.abort()
        return answer


async def test_a_lost_answer_is_asked_for_again():
    """As a provider does; the case passes, and says so."""
    rules = Rules()
    names = ("bet-takes-its-stake", "win-credits-stake-and-winloss", "cancel-refunds-the-stake")
    results = await results_of(Unsteady(rules), *names, back_office=ReferenceBackOffice(rules), concurrency=1)
    assert failed(results) == skipped(results) == {}
    assert any("answers were lost" in result.detail for result in results.values())


async def test_a_grace_that_is_too_short_to_bet_in_it():
    """Such cases are skipped; none fails."""
    rules = Rules(grace_s=0)
    results = await results_of(
        Endpoint(rules), "*grace*", "bet-just-after-the-logout", back_office=ReferenceBackOffice(rules)
    )
    assert failed(results) == {}
    assert len(skipped(results)) == 2
