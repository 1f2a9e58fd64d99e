"""A child's end of the socket that connects it to its parent: the option `--parent-fd`.

The child tells twice a second that its event loop turns, whether it is ready, and how many connections it has. When
the parent ends, for whatever reason, the child reads end of file and ends, too: no orphan keeps a port or a database.
The parent tells a child that replaces another one when to take over, and a worker how many connections it should give
to others. It sends the admin process what it knows of all children. Each message is a packet of its own.

    parent = ParentSocket(fd)
    parent.watch()              # first
    ...
    parent.beat(ready=True)     # every HEARTBEAT_S
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from seamless_wallet.exit_status import EXIT_FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable

ORPHAN_LIMIT_S: Final = 10.0
"""After the end of its parent, a child has this long to finish what it was doing."""

HEARTBEAT_S: Final = 0.5
READY: Final = b"+"
NOT_READY: Final = b"-"
TAKE_OVER: Final = b"take over"
SURPLUS: Final = b"surplus "
"""In front of a number of connections."""
BEAT_BYTES_MAX: Final = 32
MESSAGE_BYTES_MAX: Final = 65_536


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """The parent's end, which does not block, and the child's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def terminate_self() -> None:
    """Do what the parent's SIGTERM would do."""
    os.kill(os.getpid(), signal.SIGTERM)


class ParentSocket:
    """The connection of this process to its parent."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)

    def beat(self, *, ready: bool, connections: int = 0) -> None:
        """Tell the parent that this process turns, whether it is ready, and what it serves. Never blocks.

        It is no error if the parent has ended, or does not listen.
        """
        with suppress(OSError):
            self._socket.send(b"%s%d" % (READY if ready else NOT_READY, connections), socket.MSG_DONTWAIT)

    def watch(
        self,
        stop: Callable[[], None] = terminate_self,
        limit_s: float = ORPHAN_LIMIT_S,
        on_message: Callable[[bytes], None] = lambda _: None,
    ) -> threading.Thread:
        """Call `stop` when the parent ends, and `on_message` with what it sends.

        Both are called in a thread that only waits for them, so that a busy event loop does not matter. A process that
        is still running `limit_s` after the end of its parent exits with status 1 at once.
        """

        def wait_for_end() -> None:
            with suppress(OSError):
                while message := self._socket.recv(MESSAGE_BYTES_MAX):
                    on_message(message)
            stop()
            time.sleep(limit_s)
            os._exit(EXIT_FAILURE)

        watcher = threading.Thread(target=wait_for_end, name="watch-parent", daemon=True)
        watcher.start()
        return watcher
