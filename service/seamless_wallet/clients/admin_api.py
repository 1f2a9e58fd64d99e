"""The admin API from its other side: what the command line, the simulator and conformance ask of the back office.

A movement whose outcome is unknown is repeated under the same Idempotency-Key until an answer comes or the
patience ends, so that it happens once however often it is sent.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import msgspec
from yarl import URL

from seamless_wallet.clients.error_text import connection_fault
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_FAILURE

PATIENCE_S: Final = 15.0
"""How long a call is repeated while its outcome is unknown."""

PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 1.0
CALL_LIMIT_S: Final = 10.0

UNKNOWN_PLAYER: Final = "unknown-player"
"""The kind of refusal that says that there is no such player."""

NOBODY: Final = "nobody"
"""A user_id to ask for when only the access matters."""

_UNAVAILABLE: Final = 503
_THROTTLED: Final = 429
_ERRORS_FROM: Final = 300
"""The admin API never redirects: who does would get a movement of money, or its answer, from elsewhere."""


class AdminError(WalletError):
    """The back office did not do it. One line that says why."""

    exit_status = EXIT_FAILURE


class AdminRefused(AdminError):
    """The back office answered with a problem (RFC 9457). `kind` is the last part of its `type`."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


class AdminUnreachable(AdminError):
    """No answer that could be understood, however often it was tried. `sent`: the outcome may be either."""

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        super().__init__(detail)
        self.sent = sent


class PlayerState(msgspec.Struct, frozen=True):
    """A player's committed state. Amounts are decimal strings in major units."""

    user_id: str
    currency: str
    status: str
    balance: str
    debt: str
    version: int


class NewPlayer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A player of an import. `balance`: the opening balance, a decimal string in major units."""

    user_id: str
    currency: str
    balance: str = "0"


class Imported(msgspec.Struct, frozen=True):
    """What came of one: `taken`, `known` (all was there before), `refused` or `unknown` (repeat it)."""

    outcome: str
    problem: str | None
    detail: str


class AdminClient:
    """A client of one back office; an asynchronous context manager.

    `tls`: which servers are trusted; None: those that the system trusts. With `persistent` it also waits for a back
    office that is not there (yet, or again). `reason` stands in the audit log.
    """

    def __init__(
        self,
        url: str,
        token: str,
        tls: ssl.SSLContext | None = None,
        *,
        patience_s: float = PATIENCE_S,
        persistent: bool = False,
        reason: str = "",
    ) -> None:
        self._url = url.rstrip("/")
        self._tls = tls
        self._persistent = persistent
        self._headers = {"Authorization": f"Bearer {token}", **({"Audit-Reason": reason} if reason else {})}
        self._patience_s = patience_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=CALL_LIMIT_S)
        connector = aiohttp.TCPConnector(ssl=self._tls or True)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def create(self, user_id: str, currency: str) -> PlayerState:
        """Create a player; the same one again is no error. Raises AdminError, as all these do."""
        return _player(await self._call("POST", "/v1/players", {"user_id": user_id, "currency": currency}))

    async def show(self, user_id: str) -> PlayerState:
        """A player as the ledger has it."""
        return _player(await self._call("GET", _path(user_id)))

    async def set_status(self, user_id: str, status: str) -> PlayerState:
        """`active` or `blocked`."""
        return _player(await self._call("PATCH", _path(user_id), {"status": status}, str(uuid4())))

    async def deposit(self, user_id: str, amount: str, key: str = "") -> dict[str, Any]:
        """Move cash in; `amount` in major units. Without a key, a random one."""
        return await self._call("POST", _path(user_id, "/deposits"), {"amount": amount}, key or str(uuid4()))

    async def withdraw(self, user_id: str, amount: str, key: str = "") -> dict[str, Any]:
        """Move cash out."""
        return await self._call("POST", _path(user_id, "/withdrawals"), {"amount": amount}, key or str(uuid4()))

    async def import_players(self, players: Sequence[NewPlayer]) -> Sequence[Imported]:
        """Create players with opening balances; a result for each, in their order.

        To repeat it changes nothing. Raises AdminError.
        """
        answered = await self._call("POST", "/v1/imports", {"players": msgspec.to_builtins(players)})
        try:
            results = msgspec.convert(answered.get("results"), list[Imported])
        except msgspec.ValidationError as error:
            raise AdminUnreachable(f"the back office answered no results: {error}") from None
        if len(results) != len(players):
            raise AdminUnreachable(f"the back office answered {len(results)} results for {len(players)} players")
        return results

    async def acknowledge_call(self, call_id: str, note: str) -> dict[str, Any]:
        """Note that a call needs nothing more."""
        return await self._call("POST", f"/v1/calls/{quote(call_id, safe='')}/acknowledgement", {"note": note})

    async def replay_call(self, call_id: str, confirm: str, reason: str) -> dict[str, Any]:
        """Have the event of a call decided again; `confirm` says what kind of event it is."""
        body = {"confirm": confirm, "reason": reason}
        return await self._call("POST", f"/v1/calls/{quote(call_id, safe='')}/replay", body)

    async def erase_calls(self, user_id: str) -> dict[str, Any]:
        """Erase all calls of a player."""
        return await self._call("DELETE", _path(user_id, "/calls"))

    async def trial_balance(self) -> dict[str, Any]:
        """The sums of all accounts, as the admin API puts them."""
        return await self._call("GET", "/v1/trial-balance")

    async def _call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = ""
    ) -> dict[str, Any]:
        """One call, repeated as it is while nothing is known of its outcome."""
        give_up_s = time.monotonic() + self._patience_s
        pause_s = PAUSE_FIRST_S
        maybe_done = False
        while True:
            try:
                return await self._call_once(method, path, body, key)
            except AdminRefused as error:
                unknown: AdminError = error
                if error.status not in {_UNAVAILABLE, _THROTTLED}:
                    raise
                maybe_done = maybe_done or error.status == _UNAVAILABLE
            except AdminUnreachable as error:
                unknown = error
                maybe_done = maybe_done or error.sent
                if not (maybe_done or self._persistent):
                    raise
            if time.monotonic() + pause_s > give_up_s:
                raise unknown
            await asyncio.sleep(pause_s)
            pause_s = min(PAUSE_MAX_S, 2 * pause_s)

    async def _call_once(self, method: str, path: str, body: Mapping[str, object] | None, key: str) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("enter the client first")
        headers = {"Idempotency-Key": key} if key else {}
        data = None
        if body is not None:  # in UTF-8: escapes would be several times as long
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        try:
            url = URL(self._url + path, encoded=True)
            asked = self._session.request(method, url, data=data, headers=headers, allow_redirects=False)
            async with asked as response:
                status, raw = response.status, await response.read()
        except aiohttp.InvalidURL:
            raise AdminError(f"{self._url} is not the http:// URL of a back office") from None
        except aiohttp.ClientConnectorError as error:
            raise AdminUnreachable(f"no back office at {self._url}: {connection_fault(error)}", sent=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AdminUnreachable(
                f"no answer from the back office at {self._url}: {connection_fault(error)}"
            ) from None
        try:
            answered = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise AdminUnreachable(f"what answers at {self._url} is no back office (HTTP {status})") from None
        if status >= _ERRORS_FROM:
            kind = str(answered.get("type", "")).rpartition(":")[2]
            told = [str(answered[name]) for name in ("title", "detail") if answered.get(name)]
            raise AdminRefused(status, kind, ": ".join(told) or f"HTTP {status}")
        return answered


async def check_access(url: str, token: str, tls: ssl.SSLContext | None = None, *, user_id: str = "") -> None:
    """Ask once, without patience, whether a back office is there and accepts the token. Raises AdminError.

    With a `user_id` also whether it knows that player.
    """
    async with AdminClient(url, token, tls, patience_s=0) as admin:
        try:
            await admin.show(user_id or NOBODY)
        except AdminRefused as error:
            if user_id or error.kind != UNKNOWN_PLAYER:
                raise


def _path(user_id: str, below: str = "") -> str:
    return f"/v1/players/{quote(user_id, safe='')}{below}"


def _player(answered: dict[str, Any]) -> PlayerState:
    try:
        return msgspec.convert(answered, PlayerState)
    except msgspec.ValidationError as error:
        raise AdminUnreachable(f"the back office answered no player: {error}") from None
