"""The endpoint of each provider, and the application that serves them.

A call passes six steps: admit, read the body, open and decode, apply, encode and seal, respond.

- The answer is always HTTP 200 (SEMANTICS row 10).
- It is sealed, and carries `Api-Id` and `Api-Key`, only for a caller whose own Api-Key matched. Everybody else gets the
  same plain `{"code":"R2"}`, whatever was wrong.
- R2 closes the connection: the caller may still be sending a body that is not read.
- A sealed reply is `text/plain`, or `application/json` where the provider's `reply_body` is a JSON string. The plain
  one is `application/json`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from aiohttp import web

from seamless_wallet.calls.ports import CallRecorder
from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import Answer, Code, Command
from seamless_wallet.http_server.aiohttp_internals import (
    BROKEN_REQUEST_ERRORS,
    PrebuiltResponse,
    add_direct_posts,
    prebuilt_head,
)
from seamless_wallet.http_server.serving import BODY_READ_S, application
from seamless_wallet.observability import metrics
from seamless_wallet.observability.call_context import CallContext, begin_call
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock, WalletPort
from seamless_wallet.providers import Echo, Invalid, Key, Provider
from seamless_wallet.webhook.call_counters import UNKNOWN, CallCounters
from seamless_wallet.webhook.call_phases import AnsweredCall, CallWatcher
from seamless_wallet.webhook.call_records import KEY_NAMES, Call, CallRecords
from seamless_wallet.webhook.no_provider import NoProvider, plain_answer
from seamless_wallet.webhook.source_address import Networks, refusal, source_of

LOG_EVERY_S: Final = 10.0
"""What callers do wrong is logged once in this time, for each provider and reason."""

API_KEY: Final = Answer(Code.R2, "api_key")
API_ID: Final = Answer(Code.R2, "api_id")
BODY: Final = Answer(Code.R2, "body")
UNDECRYPTABLE: Final = Answer(Code.R2, "undecryptable")
SETTLEMENTS_ONLY: Final = Answer(Code.R1, "settlements_only")
FAULT: Final = Answer(Code.R1, "fault")

_log = structlog.get_logger(__name__)


class Webhook:
    """The endpoint of one provider."""

    def __init__(
        self,
        provider: Provider,
        wallet: WalletPort,
        clock: Clock,
        trusted_proxies: Networks,
        recorder: CallRecorder | None = None,
        watchers: Sequence[CallWatcher] = (),
    ) -> None:
        self._watchers = watchers
        self._provider = provider
        self._wallet = wallet
        self._clock = clock
        self._trusted_proxies = trusted_proxies
        self._key_counters = {
            key.text: metrics.WEBHOOK_API_KEYS.labels(provider.name, name)
            for name, key in zip(KEY_NAMES, provider.keys, strict=False)
        }
        self._opening, self._replying = (
            metrics.WEBHOOK_PHASE_DURATION_SECONDS.labels(phase) for phase in ("open", "reply")
        )
        self._counters = CallCounters(provider.name, provider.profile)
        self._heads = {key.text: prebuilt_head(provider.headers(key)) for key in provider.keys}
        self._records = None if recorder is None else CallRecords(provider, recorder, clock, trusted_proxies)
        self._rate_limited_log = RateLimitedLog(LOG_EVERY_S, monotonic_s=clock.monotonic_s)

    async def handle(self, request: web.Request) -> PrebuiltResponse:
        """Answer one call."""
        call, context = Call(self._clock.monotonic_s()), begin_call(request.headers)
        try:
            answer = await self._answer(call, request)
            response = self._respond(call, answer)
        except Exception as fault:  # noqa: BLE001 - a bug is answered R1, so that the provider repeats the call
            self._report(fault, call)
            answer = FAULT
            response = self._respond(call, answer)
        if answer.code is Code.R2:
            response.force_close()
        ended_s = self._clock.monotonic_s()
        self._replying.observe(ended_s - (call.decided_s or call.opened_s or call.started_s))
        self._counters.count(self._event_label(call.echo), answer, ended_s - call.started_s)
        if self._records is not None:
            try:
                self._records.record(call, request, answer, ended_s)
            except Exception as fault:  # noqa: BLE001 - the answer never depends on the history
                self._report(fault, call)
        if self._watchers:
            self._tell(call, context, answer, ended_s)
        return response

    def _tell(self, call: Call, context: CallContext, answer: Answer, ended_s: float) -> None:
        """Tell those who want to know of single calls. What they raise costs no answer."""
        event = self._event_label(call.echo)
        answered = AnsweredCall(call, context, self._provider.name, event, answer, ended_s)
        for watcher in self._watchers:
            try:
                watcher.ended(answered)
            except Exception as fault:  # noqa: BLE001 - the answer never depends on them
                self._report(fault, call)

    async def _answer(self, call: Call, request: web.Request) -> Answer:
        admitted = self._admit(call, request)
        if isinstance(admitted, Answer):
            return admitted
        body = await _read(request)
        call.started_s = self._clock.monotonic_s()
        asked = self._open(call, admitted, body)
        call.opened_s = self._clock.monotonic_s()
        self._opening.observe(call.opened_s - call.started_s)
        if isinstance(asked, Answer):
            return asked
        answer = await self._wallet.apply(asked, self._provider.policy, call)
        call.decided_s = self._clock.monotonic_s()
        return answer

    def _admit(self, call: Call, request: web.Request) -> Key | Answer:
        """The key of a caller who is let in, or the answer to one who is not. Sets `call.key`.

        The body of a caller who is not let in is never read: many such bodies would fill the memory.
        """
        provider, headers = self._provider, request.headers
        refused = self._refused_source(request)
        if refused is not None:
            return refused  # before the key is checked: a caller with a stolen key does not learn that it is right
        call.key = provider.match_key(headers.get("Api-Key", ""))
        if call.key is None:
            return API_KEY
        self._key_counters[call.key.text].inc()
        return call.key if provider.is_api_id(headers.get("Api-Id", "")) else API_ID

    def _refused_source(self, request: web.Request) -> Answer | None:
        """The answer to a caller from outside of the provider's networks, None for any other.

        A provider whose proxy is set up wrong sees nothing but R2: so the log says what it was about.
        """
        if not self._provider.allow:
            return None
        source = source_of(request, self._trusted_proxies)
        refused = refusal(source, self._provider.allow)
        if refused is not None:
            self._rate_limited_log.warning(
                "source_refused",
                of=refused.reason,
                provider=self._provider.name,
                reason=refused.reason,
                source=None if source.address is None else str(source.address),
                peer=request.remote,
            )
        return refused

    def _open(self, call: Call, key: Key, body: bytes | None) -> Command | Answer:
        """The command in a body, or the answer if there is none to execute. Sets what `call` knows of it."""
        provider = self._provider
        if body is None:
            return BODY
        try:
            call.request = provider.open(body, key)
            incoming = provider.profile.decode(call.request, provider, self._clock.now_ms())
        except DecryptionError:
            return UNDECRYPTABLE
        except Invalid as invalid:
            call.echo, call.ids, call.problem = invalid.echo, invalid.ids, invalid.problem
            self._log_invalid(invalid)
            return Answer(Code.R3, invalid.reason.value, detail=invalid.place)
        call.echo, call.command = incoming.echo, incoming.command
        return incoming.command if provider.takes(incoming.command.kind) else SETTLEMENTS_ONLY

    def _log_invalid(self, invalid: Invalid) -> None:
        """Say where in a request the fault is, and nothing that stood there."""
        self._rate_limited_log.warning(
            "request_invalid",
            of=invalid.reason,
            provider=self._provider.name,
            event_type=self._event_label(invalid.echo),
            reason=invalid.reason.value,
            place=invalid.place,
            problem=invalid.problem,
        )

    def _report(self, fault: Exception, call: Call) -> None:
        """Count and log a bug: its type and place, but not its message or values, which may hold a key."""
        metrics.UNEXPECTED_ERRORS.labels("webhook").inc()
        _log.error(
            "webhook_error",
            provider=self._provider.name,
            event_type=call.echo.event_type,
            error=type(fault).__qualname__,
            traceback="".join(traceback.format_tb(fault.__traceback__)),
        )

    def _event_label(self, echo: Echo) -> str:
        """The event's type, if it is one of the profile's: what a caller makes up is no label."""
        event = echo.event_type
        return event if event is not None and event in self._provider.profile.event_types else UNKNOWN

    def _respond(self, call: Call, answer: Answer) -> PrebuiltResponse:
        provider = self._provider
        if call.key is None:
            return plain_answer(answer)
        call.reply = provider.profile.encode_reply(call.echo, answer, provider.scales.get(answer.currency))
        return PrebuiltResponse(self._heads[call.key.text], provider.seal(call.reply, call.key))


def webhook_app(
    providers: Mapping[str, Provider],
    wallet: WalletPort,
    *,
    body_bytes_max: int,
    clock: Clock,
    trusted_proxies: Networks = (),
    recorder: CallRecorder | None = None,
    watchers: Sequence[CallWatcher] = (),
) -> web.Application:
    """The application with `POST /webhook/{provider}`. A body over `body_bytes_max` is answered R2, read or not.

    Each answered call is handed to `recorder`, if there is one, and those of providers to all `watchers`.
    """
    app = application("webhook", body_bytes_max=body_bytes_max)
    webhooks = {
        f"/webhook/{name}": Webhook(provider, wallet, clock, trusted_proxies, recorder, watchers).handle
        for name, provider in providers.items()
    }
    add_direct_posts(app, webhooks)
    NoProvider(providers, clock, trusted_proxies, recorder).add_routes(app)
    return app


async def _read(request: web.Request) -> bytes | None:
    """The body, or None if it is over the application's limit, broken, cut or late. Then close the connection."""
    try:
        if request.content.is_eof():  # `request.read` would copy it twice
            body = request.content.read_nowait()
            return body if len(body) <= request.client_max_size else None
        async with asyncio.timeout(BODY_READ_S):
            return await request.read()
    except (web.HTTPRequestEntityTooLarge, TimeoutError, *BROKEN_REQUEST_ERRORS):
        return None
