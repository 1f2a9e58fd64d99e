"""Answered calls as spans of OpenTelemetry. The one module that imports it: it comes with the extra `otel`."""

from __future__ import annotations

import threading
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from seamless_wallet import __version__
from seamless_wallet.commands import Code
from seamless_wallet.ports import Clock
from seamless_wallet.webhook.call_counters import FAULTS
from seamless_wallet.webhook.call_phases import AnsweredCall

SPANS_END_LIMIT_S: Final = 2.0
"""At its end, a process waits so long for what is still to be sent."""

SCOPE: Final = "seamless_wallet.webhook"


class CallSpans:
    """A span for each call, one below it for each phase, in the trace of the caller if it has named one.

    They are sent by a thread of the SDK. Where to, how often and which ones, the variables of the SDK say
    (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER` and others).
    """

    def __init__(self, clock: Clock, exporter: SpanExporter | None = None) -> None:
        self._clock = clock
        named = {"service.name": "wallet", "service.version": __version__}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SCOPE, __version__)
        self._propagator = TraceContextTextMapPropagator()

    def ended(self, answered: AnsweredCall) -> None:
        """Make the spans of a call, with its moments."""
        zero_ns = self._clock.now_ms() * 1_000_000 - int(self._clock.monotonic_s() * 1e9)

        def at_ns(moment_s: float) -> int:
            return zero_ns + int(moment_s * 1e9)

        answer = answered.answer
        span = self._tracer.start_span(
            f"webhook {answered.event}",
            self._propagator.extract({"traceparent": answered.context.traceparent}),
            SpanKind.SERVER,
            start_time=at_ns(answered.call.started_s),
        )
        if span.is_recording():
            ids = answered.ids
            span.set_attributes(
                {
                    "wallet.provider": answered.provider,
                    "wallet.event": answered.event,
                    "wallet.transaction_id": ids["transaction_id"],
                    "wallet.game_no": ids["game_no"],
                    "wallet.code": answer.code.value,
                    "wallet.reason": answer.reason,
                    "wallet.request_id": answered.context.request_id,
                }
            )
            if answer.code is Code.R1 and answer.reason in FAULTS:
                span.set_status(Status(StatusCode.ERROR, answer.reason))
            within = set_span_in_context(span)
            for phase in answered.phases:
                below = self._tracer.start_span(phase.name, within, start_time=at_ns(phase.began_s))
                below.end(at_ns(phase.ended_s))
        span.end(at_ns(answered.ended_s))

    def close(self) -> None:
        """Send what is left, for at most `SPANS_END_LIMIT_S`."""
        sending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        sending.start()
        sending.join(SPANS_END_LIMIT_S)
