"""What becomes of a case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.conformance.registry import Case


class CaseFailed(Exception):
    """The wallet did something else. What was expected, and what came."""


class CaseSkipped(Exception):
    """The case needs what is not there. What is missing."""


class ConformanceError(Exception):
    """The run cannot begin. One line that says why."""


class Status(StrEnum):
    """How a case ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, played."""

    case: Case
    status: Status
    detail: str
    seconds: float
