"""What became of a reload, whoever does it: one line in the log, and a metric for the alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from seamless_wallet.errors import WalletError
from seamless_wallet.observability import metrics
from seamless_wallet.settings.changes import NEEDS_RESTART, changed_names

if TYPE_CHECKING:
    from seamless_wallet.settings import Settings

NEVER_READY: Final = WalletError("what was started with the new settings did not get ready")

log = structlog.get_logger()


def report_refused(error: Exception) -> None:
    """The new settings are not in force. A bug is logged with its traceback."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    fields = {} if isinstance(error, WalletError | OSError) else {"exc_info": error}
    metrics.RELOAD_REFUSED.set(1)
    remedy = "Correct it, and send SIGHUP again: nothing has changed."
    log.error("reload_refused", error=str(error), remedy=remedy, **fields)


def report_reloaded(before: Settings, read: Settings, in_force: Settings) -> None:
    """The settings `in_force` are: those that were `read`, but for what needs a restart."""
    metrics.RELOAD_REFUSED.set(0)
    restart = [name for name in changed_names(before, read) if name in NEEDS_RESTART]
    if restart:
        log.warning("restart_needed", settings=restart, remedy="Restart the service to change them.")
    log.info("reloaded", changed=changed_names(before, in_force))
