"""Who the children are, in the order in which they start; they stop in the opposite order."""

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
"""Together well under the 30 s that a container gets."""


def default_roles(settings: Settings, webhook_fd: int, admin_fd: int) -> list[Sequence[Role]]:
    """Stages: each is ready before the next one starts, since it needs what the earlier one provides."""
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
        answers = partial(answers_ping, path)
        stages.insert(0, (Role("valkey", "valkey", command, (), VALKEY_STOP_LIMIT_S, answers),))
    return stages
