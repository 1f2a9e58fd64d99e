"""What became of a case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from seamless_wallet.conformance.case_registry import Case


class CaseStatus(StrEnum):
    """How a case ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, played. `detail` says why it failed or was skipped; of one that passed, what was unusual."""

    case: Case
    status: CaseStatus
    detail: str
    seconds: float
