"""A call as spans: one for it, one for each phase, in the trace of the caller."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.observability.call_context import CallContext
from seamless_wallet.webhook.call_phases import AnsweredCall
from seamless_wallet.webhook.call_records import Call
from tests.store.books import Book

try:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from seamless_wallet.processes.call_spans import CallSpans
except ImportError:
    if "CI" in os.environ:
        raise
    pytest.skip("needs the extra `otel`", allow_module_level=True)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOW_MS = 1_771_000_009_000


class Clock:
    """Stands still: it is 100 s since the machine has started."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        return 100.0


def answered(answer: Answer, **headers: str) -> AnsweredCall:
    """A bet, each of whose phases took a millisecond."""
    call = Call(90.0)
    call.started_s, call.opened_s, call.sent_s, call.answered_s, call.decided_s = 90.0, 90.001, 90.002, 90.003, 90.004
    book = Book()
    book.create()
    call.command = book.command(Kind.BET, transaction_id="T-1", game_no="G-1")
    return AnsweredCall(call, CallContext(headers), "acme", "bet", answer, 90.005)


def test_a_call_is_a_span_with_one_for_each_phase():
    """With the times of the call, in the caller's trace, without who played or what was said."""
    exporter = InMemorySpanExporter()
    spans = CallSpans(Clock(), exporter)
    spans.ended(answered(Answer(Code.R0, "bet"), traceparent=f"00-{TRACE}-{SPAN}-01", **{"X-Request-Id": "r-1"}))
    spans.close()
    *phases, call = exporter.get_finished_spans()
    assert [phase.name for phase in phases] == ["open", "queue", "redis", "commit", "reply"]
    assert call.name == "webhook bet"
    assert call.context is not None
    assert call.parent is not None
    assert (f"{call.context.trace_id:032x}", f"{call.parent.span_id:016x}") == (TRACE, SPAN)
    assert {phase.parent.span_id for phase in phases if phase.parent} == {call.context.span_id}
    assert call.start_time == (NOW_MS - 10_000) * 1_000_000
    lengths = [(each.end_time or 0) - (each.start_time or 0) for each in (*phases, call)]
    assert [round(length / 1e6) for length in lengths] == [1, 1, 1, 1, 1, 5]
    assert call.attributes == {
        "wallet.provider": "acme",
        "wallet.event": "bet",
        "wallet.transaction_id": "T-1",
        "wallet.game_no": "G-1",
        "wallet.code": "R0",
        "wallet.reason": "bet",
        "wallet.request_id": "r-1",
    }
    assert call.status.is_unset


def test_a_fault_is_an_error_and_a_decision_is_none():
    """R1 that a policy gives, R3 and R4 are answers."""
    exporter = InMemorySpanExporter()
    spans = CallSpans(Clock(), exporter)
    said = (Answer(Code.R1, "deadline"), Answer(Code.R1, "orphan"), Answer(Code.R3, "json"), Answer(Code.R4, "funds"))
    for answer in said:
        spans.ended(answered(answer))
    spans.close()
    found = [span for span in exporter.get_finished_spans() if span.name == "webhook bet"]
    assert [span.status.is_ok or span.status.is_unset for span in found] == [False, True, True, True]


def test_a_caller_who_does_not_sample_gets_no_spans():
    """The flag of its traceparent says so."""
    exporter = InMemorySpanExporter()
    spans = CallSpans(Clock(), exporter)
    spans.ended(answered(Answer(Code.R0, "bet"), traceparent=f"00-{TRACE}-{SPAN}-00"))
    spans.close()
    assert exporter.get_finished_spans() == ()


@contextmanager
def collector():
    """Takes what comes over OTLP. Yields its URL, and the bodies by path."""
    taken: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", taken
        finally:
            server.shutdown()
            thread.join()


def test_spans_arrive_at_a_collector(monkeypatch):
    """Where the variable of the SDK says, at the latest when the process ends."""
    with collector() as (url, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        spans = CallSpans(Clock())
        spans.ended(answered(Answer(Code.R0, "bet")))
        spans.close()
    ((path, body),) = taken
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [span.name for scope in resource.scope_spans for span in scope.spans][-1] == "webhook bet"
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "wallet"
