"""A child's end of the socket that connects it to its parent: the option `--parent-fd`.

The child writes one byte when it is ready. When the parent ends, for whatever reason, the child reads end of file and
ends, too: no orphan keeps a port or a database.

    watch_parent(fd)        # first
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

from seamless_wallet.exit_status import EXIT_FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable

ORPHAN_LIMIT_S: Final = 10.0
"""After the end of its parent, a child has this long to finish what it was doing."""
READY: Final = b"+"


def tell_ready(fd: int) -> None:
    """Tell the parent that this child does its work now. Call it once. It is no error if the parent has ended."""
    with suppress(OSError):
        os.write(fd, READY)


def terminate_self() -> None:
    """Do what the parent's SIGTERM would do."""
    os.kill(os.getpid(), signal.SIGTERM)


def watch_parent(
    fd: int, stop: Callable[[], None] = terminate_self, limit_s: float = ORPHAN_LIMIT_S
) -> threading.Thread:
    """Call `stop` when the parent ends. A thread of its own waits for that, so that a busy event loop does not matter.

    A process that is still running `limit_s` later exits with status 1 at once.
    """

    def wait_for_end() -> None:
        with suppress(OSError):
            while os.read(fd, 1):
                pass
        stop()
        time.sleep(limit_s)
        os._exit(EXIT_FAILURE)

    watcher = threading.Thread(target=wait_for_end, name="watch-parent", daemon=True)
    watcher.start()
    return watcher
