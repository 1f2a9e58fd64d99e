"""What no provider can do: create players, move their money, block them. The operator's back office does it.

A webhook only ever moves what bets move. Whatever a tester needs beside it is asked of a port: our admin API, a command
of the operator, or nothing at all.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from contextlib import suppress
from typing import Final, Literal, Protocol

from seamless_wallet.clients.admin_api import AdminClient, AdminError, AdminRefused
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_FAILURE

Action = Literal["create", "deposit", "withdraw", "block", "unblock", "balance"]

NO_SUCH_ACTION: Final = os.EX_UNAVAILABLE
"""Exit status (69) of a hook that has no such action: what needs it is skipped."""

HOOK_LIMIT_S: Final = 30.0
_OUTPUT_SHOWN: Final = 200


class BackOfficeError(WalletError):
    """The back office did not do what it was asked to do. One line that says why."""

    exit_status = EXIT_FAILURE


class BackOfficeRefused(BackOfficeError):
    """It said no."""


class BackOfficeFault(BackOfficeError):
    """It did not answer, or not in a way that can be understood: whether it was done is unknown."""


class ActionUnavailable(BackOfficeError):
    """There is no back office, or it has no such action."""


class BackOfficePort(Protocol):
    """`amount` is a decimal string in major units. `balance` gives one; the others give nothing."""

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        """Do it once. Raises BackOfficeError."""
        ...


class AbsentPort:
    """There is no back office: what needs one is left out."""

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:  # noqa: ARG002
        """Raises ActionUnavailable."""
        raise ActionUnavailable(f"needs the back office ({action}): pass --admin-url or --hook")


class AdminApiPort:
    """The admin API of this project (docs/admin-api.md)."""

    def __init__(self, admin: AdminClient) -> None:
        self.admin = admin

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        """One call, repeated while its outcome is unknown.

        Raises BackOfficeError, of which ActionUnavailable is one.
        """
        try:
            return await self._do(action, user_id, currency, amount)
        except AdminRefused as error:
            raise BackOfficeRefused(f"the back office refused to {action}: {error}") from None
        except AdminError as error:
            raise BackOfficeFault(f"the back office: {error}") from None

    async def _do(self, action: Action, user_id: str, currency: str, amount: str) -> str:
        admin = self.admin
        match action:
            case "create":
                await admin.create(user_id, currency)
            case "deposit":
                await admin.deposit(user_id, amount)
            case "withdraw":
                await admin.withdraw(user_id, amount)
            case "block" | "unblock":
                await admin.set_status(user_id, "blocked" if action == "block" else "active")
            case "balance":
                return (await admin.show(user_id)).balance
        return ""


class HookPort:
    """A command of the operator: `CMD create|deposit|withdraw|block|unblock|balance USER [AMOUNT] [CURRENCY]`."""

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        """Run it once. Exit status 0: done, 69: no such action here, any other: refused.

        Raises BackOfficeError, of which ActionUnavailable is one.
        """
        words = [user_id] if action in {"block", "unblock"} else [user_id, *filter(None, [amount]), currency]
        pipe = asyncio.subprocess.PIPE
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *self._words, action, *words, stdout=pipe, stderr=pipe, start_new_session=True
            )
        )
        try:
            process = await asyncio.shield(starting)  # asyncio never ends what is cancelled halfway
        except asyncio.CancelledError:
            with suppress(OSError):
                await _end(await starting)
            raise
        except OSError as error:
            raise BackOfficeFault(f"the hook {self._words[0]} does not run: {error.strerror}") from None
        try:
            async with asyncio.timeout(HOOK_LIMIT_S):
                out, err = await process.communicate()
        except asyncio.CancelledError:
            await _end(process)
            raise
        except TimeoutError:
            await _end(process)
            raise BackOfficeFault(f"the hook took longer than {HOOK_LIMIT_S:g} s to {action}") from None
        if process.returncode == NO_SUCH_ACTION:
            raise ActionUnavailable(f"the hook cannot {action}")
        if process.returncode:
            printed = "; ".join(filter(None, (_end_of(err), _end_of(out)))) or "it printed nothing"
            raise BackOfficeRefused(f"the hook refused to {action} (exit status {process.returncode}): {printed}")
        return out.decode(errors="replace").strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a hook and what it has started, and wait until nothing of it is open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


def _end_of(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split())[-_OUTPUT_SHOWN:]
