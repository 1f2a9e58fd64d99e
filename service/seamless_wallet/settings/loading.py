"""Read settings beside a running event loop. A file may be a pipe that nobody writes, or on a disk that is away."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

from seamless_wallet.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from seamless_wallet.settings.model import Settings

SETTINGS_LIMIT_S: Final = 10.0
"""How long reading the settings, and all files that they name, may take."""


async def load_in_time(load: Callable[[], Settings], limit_s: float = SETTINGS_LIMIT_S) -> Settings:
    """What `load` returns, or raises. Raises SettingsError if it takes too long.

    It is called in a thread that keeps no process from ending: a read that hangs cannot be interrupted.
    """
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[Settings] = loop.create_future()

    def settle(settings: Settings | None, error: BaseException | None) -> None:
        if loaded.done():
            return
        if settings is None:
            loaded.set_exception(error or RuntimeError("no settings"))
        else:
            loaded.set_result(settings)

    def read() -> None:
        try:
            outcome: tuple[Settings | None, BaseException | None] = (load(), None)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            outcome = (None, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=read, name="load-settings", daemon=True).start()
    try:
        return await asyncio.wait_for(loaded, limit_s)
    except TimeoutError:
        raise SettingsError(
            f"the settings could not be read within {limit_s:g} s: look for a file that is a pipe, or on a disk that "
            "is away"
        ) from None
