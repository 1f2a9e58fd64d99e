"""The list of cases: a case is a function that plays one row of the semantics, and fails or returns."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from seamless_wallet.conformance.case_context import Scene

Play = Callable[["Scene"], Awaitable[None]]


class Phase(StrEnum):
    """Groups of cases, in the order of a report. The first three are those of the provider's check-list."""

    PLAYERS = "1 login, logout"
    BETS = "2 bets and cancels"
    RESULTS = "3 results and changes"
    IDENTITY = "4 identity"
    ENVELOPE = "5 envelope"
    SCHEMA = "6 schema"
    SESSIONS = "7 sessions and blocked players"
    DEBT = "8 debt and the cash desk"
    CONCURRENCY = "9 concurrency"


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `row` is that of the semantics; `wire` and `always` are their paragraphs without a number.

    `waits`: it takes the grace of a logout, and then some.
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


class Decorator(Protocol):
    """Makes cases of one phase."""

    def __call__(self, row: str, *, waits: bool = False) -> Callable[[Play], Play]:
        """A case of this row."""
        ...


def cases_of(phase: Phase) -> Decorator:
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


def all_cases() -> list[Case]:
    """Every case, in the order of phases and of their text."""
    from seamless_wallet.conformance import cases  # noqa: F401, PLC0415 - importing them registers them

    return sorted(_cases.values(), key=lambda case: case.phase)


def select(patterns: Iterable[str]) -> list[Case]:
    """The cases that any pattern means; all, without one."""
    wanted = list(patterns)
    return [case for case in all_cases() if not wanted or any(case.matches(pattern) for pattern in wanted)]
