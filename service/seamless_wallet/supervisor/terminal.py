"""SIGHUP: held until somebody handles it, and told apart, as a closed terminal sends it, too."""

from __future__ import annotations

import os
import signal


def hold_hang_up() -> None:
    """Have a SIGHUP wait for `deliver_hang_up`: before there is a handler, it would end the process without a line."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def deliver_hang_up() -> None:
    """There is a handler now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def has_terminal() -> bool:
    """Whether this process has a controlling terminal (tty(4)). When that is closed, the process has none any more."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
