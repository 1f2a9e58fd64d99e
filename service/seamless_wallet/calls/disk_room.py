"""How full a disk is: the history of calls leaves the last of it to the ledger, without which nothing is decided."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

FREE_SHARE_MIN: Final = 0.05
"""With less of its disk free, nothing more is recorded or collected."""

FreeShare = Callable[[Path], float]
"""Tells which share of the disk of a directory is free, from 0 to 1. Raises OSError."""


def free_share(directory: Path) -> float:
    """That share, as this machine tells it."""
    disk = shutil.disk_usage(directory)
    return disk.free / disk.total if disk.total else 1.0
