"""SIGHUP: read the settings again and, if they are right, replace the children one by one by ones that have them.

A replaced child goes on working until the one that replaces it is ready. So no call is refused. The embedded Valkey is
not replaced. If the settings are wrong, or the first child that has them does not get ready, everything stays as it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from seamless_wallet.errors import WalletError
from seamless_wallet.settings.changes import without_restart
from seamless_wallet.settings.loading import load_in_time
from seamless_wallet.supervisor.kinds import WRITER
from seamless_wallet.supervisor.reload_outcome import report_refused, report_reloaded
from seamless_wallet.supervisor.roles import RELOAD_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seamless_wallet.settings import Settings
    from seamless_wallet.supervisor.child import Child, Role
    from seamless_wallet.supervisor.family import Family

READY_LIMIT_S: Final = 30.0
"""How long a child that replaces another one may take to get ready."""


class ReplacementFailed(WalletError):
    """A child with the new settings did not get ready. One line."""


async def reload(
    current: Settings,
    family: Family,
    *,
    load: Callable[[], Settings],
    roles: Callable[[Settings], Sequence[Role]],
    make_child: Callable[..., Child],
) -> Settings:
    """The settings that are in force afterwards. Whatever is wrong with the new ones is one line in the log."""
    try:
        read = await load_in_time(load)
        wanted = without_restart(current, read)
        new_roles = roles(wanted)
        await Replacement(family, make_child).of_all(new_roles, roles(current))
    except Exception as error:  # noqa: BLE001 - logged; nothing that goes wrong with new settings stops what runs
        report_refused(error)
        return current
    report_reloaded(current, read, wanted)
    return wanted


class Replacement:
    """Replaces children."""

    def __init__(self, family: Family, make_child: Callable[..., Child]) -> None:
        self._family = family
        self._make_child = make_child

    async def of_all(self, new_roles: Sequence[Role], old_roles: Sequence[Role]) -> None:
        """Have these roles filled, and no others of their kinds. Raises ReplacementFailed after going back."""
        ordered = [role for kind in RELOAD_ORDER for role in new_roles if role.kind == kind]
        before = {role.name: role for role in old_roles}
        done: list[Role] = []
        try:
            for role in ordered:
                await self._fill(role)
                done.append(role)
        except ReplacementFailed:
            for role in done:
                await self._go_back(role, before.get(role.name))
            raise
        wanted = {role.name for role in new_roles}
        for child in self._family:
            if child.role.name not in wanted:
                await self._family.dismiss(child)

    async def _go_back(self, role: Role, before: Role | None) -> None:
        child = self._family.get(role.name)
        if before is not None:
            await self._fill(before)
        elif child is not None:
            await self._family.dismiss(child)

    async def _fill(self, role: Role) -> None:
        """Start a child, and have it take over from the one that has its role, if one has. Raises ReplacementFailed."""
        old = self._family.get(role.name)
        new = self._make_child(role, on_trial=True)
        self._family.try_out(new)
        new.start()
        if not await self._is_fit(new, old):
            await self._family.dismiss(new)
            raise ReplacementFailed(f"{role.name}: did not get ready with the new settings")
        new.keep()
        self._family.add(new)
        if old is not None:
            await self._family.dismiss(old)

    async def _is_fit(self, new: Child, old: Child | None) -> bool:
        """Whether the new child can take over, when that is known.

        A writer cannot be ready before the old one has given up the ledger. And if the old child is not ready, because
        Redis is away, the new one need not be.
        """
        try:
            async with asyncio.timeout(READY_LIMIT_S):
                while not new.failed.is_set():
                    need_not_be_ready = new.role.kind == WRITER or (old is not None and not old.is_ready)
                    if new.is_ready or (need_not_be_ready and new.turns):
                        return True
                    await self._family.wait_for_change()
        except TimeoutError:
            pass
        return False
