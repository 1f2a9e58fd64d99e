"""The provider's side of the webhook: seal a text, post it, open the answer, read the reply."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Mapping
from io import BytesIO
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp

from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.clients.error_text import connection_fault, excerpt
from seamless_wallet.errors import WalletError
from seamless_wallet.providers import Provider, Reply

ANSWER_LIMIT_S: Final = 10.0
"""How long an answer is waited for. A provider that waits longer would be an unusual one."""

CONNECTIONS_MAX: Final = 128

_OK: Final = 200


class WebhookError(WalletError):
    """A call that gave no reply. One line that says why."""


class NoAnswer(WebhookError):
    """No answer came in time. The event may have been executed."""


class AnswerLost(NoAnswer):
    """The connection failed, or ended before the answer. The event may have been executed."""


class WrongStatus(WebhookError):
    """An HTTP status other than 200, as of a proxy. The event may have been executed."""


class NotAReply(WebhookError):
    """HTTP 200 with a body that is no reply: not sealed with the key, or not in the profile's form."""


class HttpAnswer(NamedTuple):
    """What came back, as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebhookClient:
    """One provider that calls one webhook, with its current key; an asynchronous context manager.

    `tls`: which servers are trusted; None: those that the system trusts.
    """

    def __init__(
        self,
        provider: Provider,
        url: str,
        *,
        timeout_s: float = ANSWER_LIMIT_S,
        connections_max: int = CONNECTIONS_MAX,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.provider = provider
        self.url = url
        self.key = provider.keys[0]
        self.headers = provider.headers(self.key)
        self._timeout_s = timeout_s
        self._connections_max = connections_max
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        connector = aiohttp.TCPConnector(limit=self._connections_max, ssl=self._tls or True)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(self, text: bytes) -> Reply:
        """Send one text, sealed, and read the reply to it. Raises WebhookError."""
        return await self.exchange_body(self.seal(text))

    async def exchange_body(
        self, body: bytes | AsyncIterable[bytes], headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send any body, with the right headers unless others are given, and read the reply. Raises WebhookError."""
        return self.read(self.open(await self.post(body, headers)))

    def seal(self, text: bytes) -> bytes:
        """The body for a text."""
        return self.provider.seal(text, self.key)

    async def post(
        self, body: bytes | AsyncIterable[bytes], headers: Mapping[str, str] | None = None, url: str = ""
    ) -> HttpAnswer:
        """One call with any body; with the right headers and URL unless others are given. Raises NoAnswer."""
        if self._session is None:
            raise RuntimeError("enter the client first")
        sent = self.headers if headers is None else headers
        data = BytesIO(body) if isinstance(body, bytes) else body  # aiohttp warns of long bytes
        try:
            # A redirection is no answer, and would carry the key to wherever it points.
            async with self._session.post(url or self.url, data=data, headers=sent, allow_redirects=False) as response:
                return HttpAnswer(response.status, response.headers.copy(), await response.read())
        except TimeoutError as error:
            raise NoAnswer(f"no answer: {connection_fault(error)}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AnswerLost(f"no answer: {connection_fault(error)}") from None

    def open(self, answer: HttpAnswer) -> bytes:
        """The text of a sealed answer. Raises WrongStatus or NotAReply."""
        if answer.status != _OK:
            raise WrongStatus(
                f"HTTP {answer.status}, but every reply is HTTP 200 (`wallet docs wire`): {excerpt(answer.body)}"
            )
        try:
            return self.provider.open(answer.body, self.key)
        except DecryptionError:
            plain = answer.body.startswith(b"{")  # as callers with a wrong key are answered
            what = "is plain text, as for a wrong key" if plain else "does not open with the key"
            raise NotAReply(f"the answer {what}: {excerpt(answer.body)}") from None

    def read(self, text: bytes) -> Reply:
        """The reply in a text. Raises NotAReply."""
        try:
            return self.provider.profile.decode_reply(text)
        except ValueError as error:
            raise NotAReply(f"{error}: {excerpt(text)}") from None


def is_http_url(url: str) -> bool:
    """Whether a URL can be that of a webhook."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
