"""The provider's side of the webhook, byte by byte: also what no honest provider would send."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from typing import Final, NamedTuple

import aiohttp

from seamless_wallet.clients.admin_api import reason
from seamless_wallet.conformance.case_result import CaseFailed
from seamless_wallet.providers import DecryptionError, Provider, Reply

_OK: Final = 200
_EXCERPT: Final = 120


class AnswerLost(CaseFailed):
    """The connection ended before the answer. The event may have been executed."""


class Raw(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def shape(self) -> tuple[object, ...]:
        """What tells two plain answers apart, but for their date and framing."""
        framing = {"date", "connection", "keep-alive", "content-length", "transfer-encoding"}
        names = sorted(name.lower() for name in self.headers if name.lower() not in framing)
        return self.status, names, self.headers.get("Content-Type"), self.body


class Wire:
    """Where the events go. The key is the provider's current one."""

    def __init__(self, provider: Provider, url: str, session: aiohttp.ClientSession) -> None:
        self.provider = provider
        self.url = url
        self._session = session
        self.key = provider.keys[0]
        self.headers = provider.headers(self.key)

    async def post(
        self, body: bytes | AsyncIterable[bytes], headers: Mapping[str, str] | None = None, url: str = ""
    ) -> Raw:
        """One call, with the right headers unless others are given.

        Raises CaseFailed if no answer comes in time, AnswerLost if the connection ends.
        """
        sent = self.headers if headers is None else headers
        try:
            # A redirection is no answer, and would carry the key to wherever it points.
            async with self._session.post(url or self.url, data=body, headers=sent, allow_redirects=False) as response:
                return Raw(response.status, response.headers.copy(), await response.read())
        except TimeoutError as error:
            raise CaseFailed(f"no answer: {reason(error)}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AnswerLost(f"no answer: {reason(error)}") from None

    def seal(self, text: bytes) -> bytes:
        """The body for a text."""
        return self.provider.seal(text, self.key)

    def opened(self, raw: Raw) -> bytes:
        """The text of a sealed answer. Raises CaseFailed if it is not HTTP 200 or not sealed."""
        if raw.status != _OK:
            raise CaseFailed(f"HTTP {raw.status}, but every reply is HTTP 200 (docs/wire.md): {excerpt(raw.body)}")
        try:
            return self.provider.open(raw.body, self.key)
        except DecryptionError:
            raise CaseFailed(f"a reply that is not sealed with the key: {excerpt(raw.body)}") from None

    def read(self, text: bytes) -> Reply:
        """The reply in a text. Raises CaseFailed if it is none."""
        try:
            return self.provider.profile.decode_reply(text)
        except ValueError as error:
            raise CaseFailed(f"{error}: {excerpt(text)}") from None


def excerpt(text: bytes) -> str:
    """The beginning of something, for people."""
    return printable(text[:_EXCERPT].decode(errors="replace"))


def printable(text: str) -> str:
    """Without what XML cannot hold and a terminal would obey."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)
