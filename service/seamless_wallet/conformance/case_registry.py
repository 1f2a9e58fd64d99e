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


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `row` is that of docs/semantics.md; `identity` and `always` are its paragraphs without a number.

    `wire` stands for docs/wire.md. `waits`: the case waits until the grace after a logout is over.
    """

    name: str
    row: str
    phase: Phase
    title: str
    play: Play
    waits: bool = False

    def matches(self, pattern: str) -> bool:
        """Whether `row:66` or a glob on names means this case."""
        prefix, _, row = pattern.partition(":")
        return self.row == row if prefix == "row" and row else fnmatchcase(self.name, pattern)


_cases: dict[str, Case] = {}


class CaseDecorator(Protocol):
    """Makes cases of one phase."""

    def __call__(self, row: str, *, waits: bool = False) -> Callable[[Play], Play]:
        """A case of this row."""
        ...


def cases_of(phase: Phase) -> CaseDecorator:
    """The decorator of one phase: `@case("30")` makes a case of row 30, named and explained by its function."""

    def case(row: str, *, waits: bool = False) -> Callable[[Play], Play]:
        def register(play: Play) -> Play:
            name = play.__name__.replace("_", "-")
            if name in _cases:
                raise ValueError(f"two cases are called {name}")
            title = inspect.cleandoc(play.__doc__ or "").replace("\n", " ")
            _cases[name] = Case(name, row, phase, title, play, waits)
            return play

        return register

    return case


def registered_cases() -> list[Case]:
    """The cases of all modules that were imported so far; within a module in the order of its text."""
    return list(_cases.values())
