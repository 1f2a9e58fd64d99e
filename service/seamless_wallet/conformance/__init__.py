"""`wallet conformance`: whether any wallet behind a webhook does what docs/semantics.md says, row by row.

It sees only what a provider sees, and a port for what no provider can do (new players, money, blocks).
"""

from seamless_wallet.conformance.case_context import Expected
from seamless_wallet.conformance.case_result import ConformanceError, Outcome, Status
from seamless_wallet.conformance.registry import Case, Phase, all_cases, select
from seamless_wallet.conformance.runner import Target, check, run

__all__ = [
    "Case",
    "ConformanceError",
    "Expected",
    "Outcome",
    "Phase",
    "Status",
    "Target",
    "all_cases",
    "check",
    "run",
    "select",
]
