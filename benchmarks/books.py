"""What one system must have come to, and the check of every answer: a run that does not agree is void."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from benchmarks.generator import WrongAnswer
from benchmarks.play import Event
from benchmarks.service import provider
from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import Code, Kind


class Books:
    """Kept beside a system: balances in minor units, entries by kind, bets."""

    def __init__(self) -> None:
        self.balances: dict[str, int] = {}
        self.entries: Counter[str] = Counter()
        self.bets = 0
        self.answers = 0

    def open(self, players: Iterable[str], balance: int) -> None:
        """These players are created, each with so much."""
        for player in players:
            self.balances[player] = balance
            self.entries[Kind.CREATE] += 1
            self.entries[Kind.DEPOSIT] += balance > 0

    def enter(self, answers: Iterable[tuple[Event, bytes]]) -> None:
        """Decrypt and check each answer, and count what it says. Raises WrongAnswer."""
        for event, body in answers:
            check(event, body)
            self.answers += 1
            self.balances[event.user_id] += event.balance_delta
            if event.is_entry:
                self.entries[event.kind] += 1
                self.bets += event.items if event.kind is Kind.BET else 0

    def compare_balances(self, found: Mapping[str, int]) -> None:
        """Every player has what he must have. Raises WrongAnswer."""
        wrong = {player for player, balance in self.balances.items() if found.get(player) != balance}
        if wrong or len(found) != len(self.balances):
            player = min(wrong or found.keys() - self.balances.keys())
            raise WrongAnswer(
                f"{len(wrong)} balances differ; {player} has {found.get(player)} instead of {self.balances.get(player)}"
            )

    def compare_counts(self, found: Mapping[str, int], bets: int) -> None:
        """As many entries of each kind as were answered with R0, and as many bets. Raises WrongAnswer."""
        expected = +self.entries
        if dict(found) != dict(expected):
            raise WrongAnswer(f"entries {dict(found)} instead of {dict(expected)}")
        if bets != self.bets:
            raise WrongAnswer(f"{bets} bets instead of {self.bets}")


def check(event: Event, body: bytes) -> None:
    """The answer opens, and is the one that this event must have. Raises WrongAnswer."""
    bench = provider()
    try:
        reply = bench.profile.decode_reply(bench.open(body, bench.keys[0]))
    except (DecryptionError, ValueError) as problem:
        raise WrongAnswer(f"not a reply to {event.kind}: {problem!r}") from None
    echoed = (reply.code, reply.event_type, reply.timestamp, reply.user_id)
    if echoed != (event.code, event.event_type, event.timestamp, event.user_id):
        raise WrongAnswer(f"{echoed} to {event.kind} of {event.user_id}, which must be {event.code}")
    if event.code is Code.R0 and (reply.latest_balance is None or reply.latest_balance < Decimal(0)):
        raise WrongAnswer(f"the balance {reply.latest_balance} to {event.kind} of {event.user_id}")
