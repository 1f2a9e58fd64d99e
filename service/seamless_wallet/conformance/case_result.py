"""What became of a case, and of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from seamless_wallet import __version__
from seamless_wallet.conformance.case_registry import Case, Level


class CaseStatus(StrEnum):
    """How a case ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, played. `detail` says why it failed or was skipped; of one that passed, what was unusual.

    `seconds` is how long it took. `share_s` is its part of the time of the run: while n cases play at the same time,
    each of them gets 1/n of it, so the shares of all cases add up to the run.
    """

    case: Case
    status: CaseStatus
    detail: str
    seconds: float
    share_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """All cases of a run, and what it was. `target` and `options` say so in plain values, without secrets.

    A case counts if its level is within that of the run. `strict`: a case that counts must not be skipped.
    """

    results: Sequence[CaseResult]
    target: Mapping[str, Any]
    options: Mapping[str, Any]
    level: Level = Level.MUST
    strict: bool = False
    version: str = __version__

    @property
    def duration_s(self) -> float:
        """How long the cases took."""
        return sum(result.share_s for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether no case that counts has failed."""
        return not any(self.counts(result) for result in self.results)

    def counts(self, result: CaseResult) -> bool:
        """Whether this case fails the run."""
        bad = {CaseStatus.FAIL, CaseStatus.SKIP} if self.strict else {CaseStatus.FAIL}
        return result.status in bad and self.level.includes(result.case.level)
