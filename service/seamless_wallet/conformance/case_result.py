"""What becomes of a case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from seamless_wallet.conformance.registry import Case
from seamless_wallet.errors import WalletError


class CaseFailed(WalletError):
    """The wallet did something else. What was expected, and what came."""


class CaseSkipped(WalletError):
    """The case needs what is not there. What is missing."""


class ConformanceError(WalletError):
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
