"""The exit statuses of the command `wallet` and of its processes. docs/operations.md explains them to operators."""

from __future__ import annotations

import os
from typing import Final

EXIT_FAILURE: Final = 1
"""A command was refused or has findings, or a process of the service had to be killed."""

EXIT_USAGE: Final = 2
"""Wrong usage of the command line."""

EXIT_SOFTWARE: Final = os.EX_SOFTWARE
"""The supervisor itself failed (70)."""

EXIT_NOT_STARTED: Final = os.EX_OSERR
"""The system refused to start a process (71)."""

EXIT_TEMPFAIL: Final = os.EX_TEMPFAIL
"""Another writer has what this one needs, or the ledger does not answer now (75). To start again later is right."""

EXIT_CONFIG: Final = os.EX_CONFIG
"""A setting is wrong, or contradicts the ledger or Redis (78). Starting again does not help."""
