"""The moves as rules for Hypothesis, which chooses among them and in them, and shrinks what fails."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.moves import Moves
from tests.model.stage import Stage

Move = Callable[[Moves], None]


def _rule(move: Move) -> Any:
    @rule(random=st.randoms(use_true_random=False))
    def step(self: Machine, random: Random) -> None:
        self.play(move, random)

    return step


class Machine(RuleBasedStateMachine):
    """Plays on a stage that a test gives it."""

    def __init__(self) -> None:
        super().__init__()
        self._moves = Moves(self.new_stage())

    def new_stage(self) -> Stage:
        """Overridden by each test."""
        raise NotImplementedError

    def play(self, move: Move, random: Random) -> None:
        """One move."""
        self._moves.rng = random
        move(self._moves)

    @initialize(random=st.randoms(use_true_random=False))
    def open(self, random: Random) -> None:
        """Before all others."""
        self.play(Moves.open, random)

    bet = _rule(Moves.bet)
    result = _rule(Moves.result)
    change = _rule(Moves.change)
    cancel = _rule(Moves.cancel)
    again = _rule(Moves.again)
    conflict = _rule(Moves.conflict)
    office = _rule(Moves.office)
    session = _rule(Moves.session)
    wait = _rule(Moves.wait)
    disaster = _rule(Moves.disaster)
    back_and_forth = _rule(Moves.back_and_forth)
    ruin = _rule(Moves.ruin)
