"""Calls to no provider: to another name, path or method. The history gets them as those of strangers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web

from seamless_wallet.calls.ports import CallRecorder
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.commands import Answer, Code
from seamless_wallet.http_server.aiohttp_internals import PrebuiltResponse, prebuilt_head
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.webhook.call_counters import UNKNOWN
from seamless_wallet.webhook.call_records import peer_of
from seamless_wallet.webhook.source_address import Networks

NO_PROVIDER: Final = Answer(Code.R2, "no_provider")
PATH: Final = Answer(Code.R2, "path")
METHOD: Final = Answer(Code.R2, "method")
"""Both are HTTP's 404 and 405 to the caller, and R2 in the history: he was not let in."""

_NO_PROVIDER_CALLS: Final = metrics.WEBHOOK_REQUESTS.labels(
    UNKNOWN, UNKNOWN, NO_PROVIDER.code.value, NO_PROVIDER.reason
)
_PLAIN_HEAD: Final = prebuilt_head({"Content-Type": "application/json"})


class NoProvider:
    """The handlers of what is below `/webhook/` and is of no provider. `providers` are the names of all."""

    def __init__(
        self, providers: Collection[str], clock: Clock, trusted_proxies: Networks, recorder: CallRecorder | None
    ) -> None:
        self._providers = providers
        self._clock = clock
        self._trusted_proxies = trusted_proxies
        self._recorder = recorder

    def add_routes(self, app: web.Application) -> None:
        """Take what the routes before leave."""
        app.router.add_post("/webhook/{provider}", self._no_provider)
        app.router.add_route(hdrs.METH_ANY, "/webhook/{provider}", self._wrong_method)
        app.router.add_route(hdrs.METH_ANY, "/webhook/{provider}/{rest:.*}", self._wrong_path)

    async def _no_provider(self, request: web.Request) -> PrebuiltResponse:
        _NO_PROVIDER_CALLS.inc()
        self._record(request, NO_PROVIDER)
        response = plain_answer(NO_PROVIDER)
        response.force_close()
        return response

    async def _wrong_method(self, request: web.Request) -> PrebuiltResponse:
        self._record(request, METHOD)
        raise web.HTTPMethodNotAllowed(request.method, [hdrs.METH_POST])

    async def _wrong_path(self, request: web.Request) -> PrebuiltResponse:
        self._record(request, PATH)
        raise web.HTTPNotFound

    def _record(self, request: web.Request, answer: Answer) -> None:
        """With nothing of what the caller sent: what he made up is no provider."""
        if self._recorder is None:
            return
        name = request.match_info["provider"]
        provider = name if name in self._providers else UNKNOWN
        peer = peer_of(request, self._trusted_proxies)
        ids = "", "", "", "", ""
        decided = answer.code, answer.reason, "", ""
        call = CallRecord(self._clock.now_ms(), provider, peer, *ids, *decided, 0, 0, 0, 0, 0, 0, b"", b"", 0)
        self._recorder.record(call)


def plain_answer(answer: Answer) -> PrebuiltResponse:
    """What somebody gets who has not shown a key."""
    return PrebuiltResponse(_PLAIN_HEAD, b'{"code":"%s"}' % answer.code.encode())
