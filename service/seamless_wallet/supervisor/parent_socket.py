"""A child's end of the socket that ties it to its parent: `--lifeline-fd`.

The child writes one byte when it is ready. When the parent is gone, however it went, reading gives end of file,
and the child goes too: no orphan keeps a port or a database.

    watch_lifeline(fd)      # first thing
    ...
    tell_ready(fd)          # when it serves
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_LIMIT_S: Final = 10.0
"""After its parent a child may take this long to finish what it was doing."""
READY: Final = b"+"


def tell_ready(fd: int) -> None:
    """Tell the parent that this child does its work now. Once; a parent that is gone is no error."""
    with suppress(OSError):
        os.write(fd, READY)


def terminate_self() -> None:
    """What the parent's own SIGTERM would do."""
    os.kill(os.getpid(), signal.SIGTERM)


def watch_lifeline(
    fd: int, stop: Callable[[], None] = terminate_self, limit_s: float = STOP_LIMIT_S
) -> threading.Thread:
    """Call `stop` once the parent is gone, from a thread of its own, so that a busy event loop does not matter.

    A process that is still there `limit_s` later exits with status 1 on the spot.
    """

    def wait_for_end() -> None:
        with suppress(OSError):
            while os.read(fd, 1):
                pass
        stop()
        time.sleep(limit_s)
        os._exit(1)

    watcher = threading.Thread(target=wait_for_end, name="lifeline", daemon=True)
    watcher.start()
    return watcher
