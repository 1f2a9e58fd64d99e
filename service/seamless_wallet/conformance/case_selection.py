"""All cases in the order of a report, and those that somebody asks for."""

from __future__ import annotations

from collections.abc import Iterable

from seamless_wallet.conformance.case_registry import Case, registered_cases
from seamless_wallet.conformance.cases import SUBJECTS


def all_cases() -> list[Case]:
    """Every case, in the order of phases, subjects and their text."""
    order = {module.__name__: place for place, module in enumerate(SUBJECTS)}
    return sorted(registered_cases(), key=lambda case: (case.phase, order[case.play.__module__]))


def select(patterns: Iterable[str]) -> list[Case]:
    """The cases that any pattern matches; all, without one."""
    wanted = list(patterns)
    return [case for case in all_cases() if not wanted or any(case.matches(pattern) for pattern in wanted)]
