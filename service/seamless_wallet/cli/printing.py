"""Where commands print tables to: a terminal, or a file or program, in which a row has to be one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

PIPED_COLUMNS: Final = 1000
"""Of what does not go to a terminal. A longer row is folded all the same, as each row is as long as the longest one."""


def stdout_console(*, soft_wrap: bool = False) -> Console:
    """Standard output. `soft_wrap`: lines are as long as they are, also at a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_COLUMNS
    return Console(highlight=False, emoji=False, soft_wrap=soft_wrap, width=width)
