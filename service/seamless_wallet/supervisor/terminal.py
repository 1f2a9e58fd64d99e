"""Tells a closed terminal from a request to reload: both send SIGHUP."""

from __future__ import annotations

import os


def has_terminal() -> bool:
    """Whether this process has a controlling terminal (tty(4)). When that is closed, the process has none any more."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
