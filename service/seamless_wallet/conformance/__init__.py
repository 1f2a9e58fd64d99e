"""Conformance: whether any wallet behind a webhook does what docs/semantics.md says, row by row.

It sees only what a provider sees, and a port to the back office for what no provider can do (new players, money,
blocks). So it knows the wire format (providers, ciphers), commands, money, errors and the clients, and nothing of how
this wallet works: it needs no Redis, ledger or settings, and serves for a wallet in any language.
"""

from seamless_wallet.conformance.case_errors import ConformanceError
from seamless_wallet.conformance.case_registry import Case, Level, Phase
from seamless_wallet.conformance.case_result import CaseResult, CaseStatus, RunResult
from seamless_wallet.conformance.case_selection import all_cases, select
from seamless_wallet.conformance.runner import RunOptions, run_cases

__all__ = [
    "Case",
    "CaseResult",
    "CaseStatus",
    "ConformanceError",
    "Level",
    "Phase",
    "RunOptions",
    "RunResult",
    "all_cases",
    "run_cases",
    "select",
]
