"""Whether what several clients were told about one player can have happened one after the other.

The ledger has the order of what had an entry. Replayed through the model it gives the player's states S0, S1 … Sn.
Every answer must be what the model says at one of them; and where an answer came before another call was sent, its
state is not the later one. Each call takes the earliest state that fits: if that fails, nothing fits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from seamless_wallet.commands import Answer, Code, Command
from seamless_wallet.ledger.entry import Entry
from tests.model.history import POLICIES
from tests.model.model import EventId, Player, Verdict, content_of, decide
from tests.model.stage import TRANSIENT, told

NONE = Answer(Code.R1, "deadline")


@dataclass
class Call:
    """One request and its answer, with their places in the order of all that was sent and answered."""

    command: Command
    sent: int
    answered: int = 0
    answer: Answer = NONE

    @property
    def event(self) -> EventId:
        return self.command.provider, self.command.transaction_id

    @property
    def tells_nothing(self) -> bool:
        return self.answer.code is Code.R1 and self.answer.reason in TRANSIENT


def replay(entries: Sequence[Entry]) -> list[Player | None]:
    """The states of a player. Fails unless each entry is the model's decision in the state before it."""
    states: list[Player | None] = [None]
    for entry in entries:
        verdict = _decide(states[-1], entry.command)
        after, decision = verdict.after, entry.decision
        assert verdict.code is Code.R0, f"{entry.command} has an entry; the law has {told(verdict)}"
        assert after is not None
        mine = (after.entries, after.balance, after.debt, verdict.effects)
        assert (decision.version, decision.balance, decision.debt, decision.effects) == mine, entry.command
        assert sum(leg.amount for leg in entry.legs()) == 0
        states.append(after)
    return states


def _decide(player: Player | None, command: Command) -> Verdict:
    return decide(player, command, POLICIES[command.provider])


def explain(calls: Sequence[Call], entries: Sequence[Entry]) -> int:
    """Find a state for every call of one player. Returns how many answers it explained."""
    states = replay(entries)
    places = {(e.command.provider, e.command.transaction_id): n for n, e in enumerate(entries, 1)}
    first_sent: dict[EventId, int] = {}
    for call in sorted(calls, key=lambda call: call.sent):
        first_sent.setdefault(call.event, call.sent)
    # When the events of all entries up to each had been sent.
    sent_of_entry = list(accumulate((first_sent[e.command.provider, e.command.transaction_id] for e in entries), max))
    declined = _Declined(states)
    answered_at: list[int] = []
    reached: list[int] = []  # the latest state that was taken until then
    for call in sorted(calls, key=lambda call: call.answered):
        if call.tells_nothing:
            continue
        before = bisect_left(answered_at, call.sent)
        earliest = reached[before - 1] if before else 0
        latest = bisect_right(sent_of_entry, call.answered)
        fits = _fitting(call, states, places, declined)
        state = next((n for n in range(earliest, latest + 1) if fits(n)), None)
        law = [] if state is not None else [told(_decide(states[n], call.command)) for n in range(earliest, latest + 1)]
        assert state is not None, f"{call.answer} for {call.command}: from entry {earliest} on the law has {law}"
        declined.note(call, state)
        answered_at.append(call.answered)
        reached.append(max(state, reached[-1] if reached else 0))
    return len(reached)


class _Declined:
    """Declines that may be remembered (row 6): from the state on in which one was first given, or could have been."""

    def __init__(self, states: Sequence[Player | None]) -> None:
        self._states = states
        self._calls: dict[EventId, list[tuple[object, Code, int]]] = {}

    def note(self, call: Call, state: int) -> None:
        """An answer that may be repeated."""
        if call.command.kind == "bet" and call.answer.code in {Code.R3, Code.R4}:
            told = (content_of(call.command), call.answer.code, state)
            self._calls.setdefault(call.event, []).append(told)

    def before(self, call: Call, state: int) -> Iterator[tuple[object, Code]]:
        """Content and code of the declines of the call's event, as of a state.

        A decline whose own caller was told nothing may be remembered, too: then the model must have given it.
        """
        for content, code, at in self._calls.get(call.event, ()):
            if at <= state:
                yield content, code
        for earlier in self._states[: state + 1]:
            verdict = _decide(earlier, call.command)
            if verdict.kept:
                yield content_of(call.command), verdict.code


def _fitting(
    call: Call, states: Sequence[Player | None], places: dict[EventId, int], declined: _Declined
) -> Callable[[int], bool]:
    """Whether the model gives this answer at a state."""
    answer, command, place = call.answer, call.command, places.get(call.event)

    def fits(number: int) -> bool:
        player = states[number]
        if (answer.balance, answer.debt) != ((player.balance, player.debt) if player else (None, None)):
            return False
        verdict = _decide(player, command)
        if answer.code is verdict.code and answer.reason in verdict.reasons and verdict.effects is None:
            return True  # a decline, or an R0 that repeats what is in this state already
        if answer.code is Code.R0 and answer.reason != "duplicate":
            return number == place  # it is told what its own entry left
        if answer.reason not in {"duplicate", "conflict"} or answer.code is Code.R0:
            return False
        remembered = set(declined.before(call, number))
        if answer.reason == "conflict":
            return any(content != content_of(command) for content, _ in remembered)
        return (content_of(command), answer.code) in remembered

    return fits
