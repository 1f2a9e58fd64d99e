"""`wallet conformance`: whether any wallet behind a webhook does what docs/semantics.md says, row by row.

It sees only what a provider sees, and a port for what no provider can do (new players, money, blocks).
"""

from service.conformance.outcome import ConformanceError, Outcome, Status
from service.conformance.registry import Case, Phase, all_cases, select
from service.conformance.runner import Target, check, run
from service.conformance.scene import Expected

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
