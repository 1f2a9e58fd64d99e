"""Why a case, or a whole run, ends before its end."""

from __future__ import annotations

from typing import Final

from seamless_wallet.clients.back_office_ports import ActionUnavailable, BackOfficeFault, BackOfficeRefused
from seamless_wallet.clients.webhook import WebhookError
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_USAGE


class CaseFailed(WalletError):
    """The wallet did something else: what was expected, and what came."""


class CaseSkipped(WalletError):
    """The case needs something that is not there: what is missing."""


class ConformanceError(WalletError):
    """The run cannot begin. One line that says why."""

    exit_status = EXIT_USAGE


CASE_FAILURES: Final = (CaseFailed, BackOfficeRefused, BackOfficeFault, WebhookError)
"""What ends a case as failed."""

SKIPS: Final = (CaseSkipped, ActionUnavailable)
"""What ends a case as skipped."""
