"""The children of `wallet up`, in the order in which they start. They stop in the opposite order."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from seamless_wallet.supervisor.child import Role
from seamless_wallet.supervisor.embedded_valkey import answers_ping, valkey_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamless_wallet.settings import Settings

WALLET: Final = (sys.executable, "-m", "seamless_wallet")
WORKER_STOP_LIMIT_S: Final = 10.0
WRITER_STOP_LIMIT_S: Final = 6.0
VALKEY_STOP_LIMIT_S: Final = 3.0
"""Together well below 30 s, after which container platforms usually kill."""


def default_roles(settings: Settings, webhook_fd: int, admin_fd: int) -> list[Sequence[Role]]:
    """The stages of children. Each stage is ready before the next one starts, which needs it.

    The file descriptors are listening sockets that workers and admin inherit. Raises ValkeyError.
    """
    writer = Role("writer", "writer", (*WALLET, "write"), stop_limit_s=WRITER_STOP_LIMIT_S)
    serve = (*WALLET, "serve", "--fd", str(webhook_fd))
    workers = [
        Role(f"worker-{number}", "worker", serve, (webhook_fd,), WORKER_STOP_LIMIT_S)
        for number in range(settings.workers)
    ]
    admin = Role("admin", "admin", (*WALLET, "admin", "--fd", str(admin_fd)), (admin_fd,), WORKER_STOP_LIMIT_S)
    stages: list[Sequence[Role]] = [(writer,), (*workers, admin)]
    if settings.embedded_redis:
        path = settings.redis_socket_path
        command = valkey_command(settings.data_dir, path)
        stages.insert(0, (Role("valkey", "valkey", command, (), VALKEY_STOP_LIMIT_S, partial(answers_ping, path)),))
    return stages
