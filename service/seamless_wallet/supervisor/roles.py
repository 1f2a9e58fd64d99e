"""The children of `wallet up`.

The admin process starts first: it can say what is missing. What needs the embedded Valkey starts when that answers.
Nothing waits for anything else, as each child waits by itself for what it needs.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from seamless_wallet.settings import admin_token
from seamless_wallet.supervisor.child import Role
from seamless_wallet.supervisor.embedded_valkey import ENVIRON, answers_ping, valkey_command
from seamless_wallet.supervisor.kinds import ADMIN, VALKEY, WORKER, WRITER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamless_wallet.settings import Settings

WALLET: Final = (sys.executable, "-P", "-m", "seamless_wallet")
"""`-P`: without it, Python would look for modules in the working directory first, whoever may write there."""

WORKER_STOP_LIMIT_S: Final = 10.0
WRITER_STOP_LIMIT_S: Final = 6.0
VALKEY_STOP_LIMIT_S: Final = 3.0
"""Together well below 30 s, after which container platforms usually kill."""

STOP_ORDER: Final = ((WORKER, ADMIN), (WRITER,), (VALKEY,))
"""Kinds that stop together, and then the next: a call that is under way is decided, committed and answered."""

RELOAD_ORDER: Final = (WORKER, ADMIN, WRITER)
"""The first worker is the trial of new settings: if it does not get ready, nothing else is replaced."""


def default_roles(settings: Settings, webhook_fd: int, admin_fd: int) -> Sequence[Role]:
    """The children in the order in which they start. The file descriptors are the listening sockets that they inherit.

    Raises ValkeyError or SettingsError.
    """
    with_token = settings.model_copy(update={"admin_token": admin_token(settings)})
    admin = Role(
        ADMIN, ADMIN, (*WALLET, "admin", "--fd", str(admin_fd)), (admin_fd,), WORKER_STOP_LIMIT_S, settings=with_token
    )
    serve = (*WALLET, "serve", "--fd", str(webhook_fd))
    return [
        admin,
        *([_valkey(settings)] if settings.embedded_redis else []),
        # Every writer stands by until it has the lease.
        Role(WRITER, WRITER, (*WALLET, "write"), stop_limit_s=WRITER_STOP_LIMIT_S, settings=settings, trial=()),
        *(
            Role(f"{WORKER}-{number}", WORKER, serve, (webhook_fd,), WORKER_STOP_LIMIT_S, settings=settings)
            for number in range(settings.workers)
        ),
    ]


def _valkey(settings: Settings) -> Role:
    path = settings.redis_socket_path
    command = valkey_command(settings.data_dir, path)
    check = partial(answers_ping, path)
    return Role(VALKEY, VALKEY, command, (), VALKEY_STOP_LIMIT_S, ready_check=check, environ=ENVIRON)
