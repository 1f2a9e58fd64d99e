"""The provider's side of the webhook: seal an event, post it, open the reply."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import aiohttp

from seamless_wallet.clients.admin_api import reason
from seamless_wallet.commands import Command
from seamless_wallet.errors import WalletError
from seamless_wallet.providers import DecryptionError, Provider, Reply

Exchange = Callable[[bytes, str, float], None]
"""Told of every call: the event's text, the reply's text or why there is none, and the seconds it took."""

_OK = 200


class Received(NamedTuple):
    """What came back. Without a reply nothing is known of the outcome, and `problem` says why."""

    reply: Reply | None
    problem: str
    seconds: float


class BadReply(WalletError):
    """There is an answer, and it is none: not sealed with the key, or not the profile's JSON."""


class Wire:
    """Where one provider's events go."""

    def __init__(
        self, provider: Provider, url: str, session: aiohttp.ClientSession, on_exchange: Exchange | None = None
    ) -> None:
        self.provider = provider
        self._url = url
        self._session = session
        self._on_exchange = on_exchange
        self._key = provider.keys[0]
        self._headers = provider.headers(self._key)

    async def send(self, command: Command, scale: int, event_type: str) -> Received:
        """One attempt. `scale` is that of the command's currency. Raises BadReply."""
        text = self.provider.profile.encode_event(command, scale, event_type)
        body = self.provider.seal(text, self._key)
        began_s = time.perf_counter()
        try:
            # A redirection would carry the key to wherever it points.
            async with self._session.post(
                self._url, data=body, headers=self._headers, allow_redirects=False
            ) as response:
                status, sealed = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._nothing(text, reason(error), began_s)
        if status != _OK:
            return self._nothing(text, f"HTTP {status}", began_s)
        seconds = time.perf_counter() - began_s
        reply, shown = self._open(sealed)
        if self._on_exchange:
            self._on_exchange(text, shown, seconds)
        return Received(reply, "", seconds)

    def _nothing(self, text: bytes, problem: str, began_s: float) -> Received:
        seconds = time.perf_counter() - began_s
        if self._on_exchange:
            self._on_exchange(text, f"no answer: {problem}", seconds)
        return Received(None, problem, seconds)

    def _open(self, sealed: bytes) -> tuple[Reply, str]:
        try:
            opened = self.provider.open(sealed, self._key)
        except DecryptionError:
            if sealed.startswith(b"{"):  # what strangers get
                raise BadReply(f"an answer in plain text, as for a wrong key: {_excerpt(sealed)}") from None
            raise BadReply(f"an answer that the key does not open: {_excerpt(sealed)}") from None
        try:
            return self.provider.profile.decode_reply(opened), opened.decode(errors="replace")
        except ValueError as error:
            raise BadReply(f"{error}: {_excerpt(opened)}") from None


def _excerpt(text: bytes) -> str:
    return repr(text[:120].decode(errors="replace"))
