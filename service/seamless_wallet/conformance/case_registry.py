"""What a case is: a function that plays one row of the semantics, and fails or returns; and the register of all."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from seamless_wallet.conformance.case_context import CaseContext

Play = Callable[[CaseContext], Awaitable[None]]


class Phase(StrEnum):
    """Groups of cases, in the order of a report. The first three are those of the provider's check-list."""

    PLAYERS = "1 login, logout"
    BETS = "2 bets and cancels"
    RESULTS = "3 results and changes"
    IDENTITY = "4 identity"
    ENVELOPE = "5 envelope"
    SCHEMA = "6 schema"
    SESSIONS = "7 sessions and blocked players"
    DEBT = "8 debt and the back office"
    CONCURRENCY = "9 concurrency"


class Level(StrEnum):
    """What it means if a case fails, from the gravest on."""

    MUST = "must"
    """The provider's guide says it, or money or the key is at risk with events that a provider can really send."""

    SHOULD = "should"
    """Hardening against what a provider in order never sends: malformed, forged or contradictory events."""

    OURS = "ours"
    """A policy of this wallet: other wallets may choose otherwise and be as sound."""

    def includes(self, other: Level) -> bool:
        """Whether a run at this level counts the failures of another."""
        order = tuple(Level)
        return order.index(other) <= order.index(self)


MUST, SHOULD, OURS = Level


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `row` is that of docs/semantics.md; `identity` and `always` are its paragraphs without a number.

    `wire` stands for docs/wire.md. `waits`: the case waits until the grace after a logout is over.
    """

    name: str
    row: str
    level: Level
    phase: Phase
    title: str
    play: Play
    waits: bool = False

    def matches(self, pattern: str) -> bool:
        """Whether `row:66`, `level:must` or a glob on names means this case."""
        prefix, _, wanted = pattern.partition(":")
        if prefix in {"row", "level"} and wanted:
            return wanted == (self.row if prefix == "row" else self.level)
        return fnmatchcase(self.name, pattern)


_cases: dict[str, Case] = {}


class CaseDecorator(Protocol):
    """Makes cases of one phase."""

    def __call__(self, row: str, level: Level, *, waits: bool = False) -> Callable[[Play], Play]:
        """A case of this row and level."""
        ...


def cases_of(phase: Phase) -> CaseDecorator:
    """The decorator of one phase: `@case("30", MUST)` makes a case of row 30, named and explained by its function.

    What it decorates raises ValueError if there is a case of that name.
    """

    def case(row: str, level: Level, *, waits: bool = False) -> Callable[[Play], Play]:
        def register(play: Play) -> Play:
            name = play.__name__.replace("_", "-")
            if name in _cases:
                raise ValueError(f"two cases are called {name}")
            title = inspect.cleandoc(play.__doc__ or "").replace("\n", " ")
            _cases[name] = Case(name, row, level, phase, title, play, waits)
            return play

        return register

    return case


def registered_cases() -> list[Case]:
    """The cases of all modules that were imported so far; within a module in the order of its text."""
    return list(_cases.values())
