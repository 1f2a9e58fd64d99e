"""Who is told of single calls: the log at DEBUG, and spans. Nobody by default."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer

from seamless_wallet.commands import Answer, Code
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.call_watchers import call_watchers
from seamless_wallet.providers import build_provider
from seamless_wallet.webhook.decision_log import DecisionLog
from seamless_wallet.webhook.endpoint import webhook_app
from tests.unit.test_call_records import CLOCK, HEADERS, KEY, SayingYes, bet_text

SETTINGS = {"log_level": "INFO", "traces": "off"}


class Watcher(list):
    """Remembers what it is told."""

    fault: Exception | None = None

    def ended(self, answered):
        self.append(answered)
        if self.fault:
            raise self.fault

    @property
    def phases(self) -> list[str]:
        """Of the last call, and that each begins where the one before ended."""
        found = self[-1].phases
        assert [phase.ended_s for phase in found[:-1]] == [phase.began_s for phase in found[1:]]
        assert found[-1].ended_s == self[-1].ended_s
        return [phase.name for phase in found]


@pytest.fixture
def watcher():
    """One of two."""
    return Watcher()


@pytest.fixture
def wallet():
    """Says yes, unless a test has another say."""
    return SayingYes()


@pytest.fixture
async def send(watcher, wallet):
    """Sends a call to an endpoint that is watched."""
    provider = build_provider(
        random_bytes=os.urandom, name="dowinn", api_id="agent7", api_key=KEY, currencies={"KRW": 2}
    )
    app = webhook_app(
        {"dowinn": provider}, wallet, body_bytes_max=2**20, clock=CLOCK, watchers=(watcher, DecisionLog())
    )
    async with TestClient(TestServer(app)) as client:

        async def call(text, headers=HEADERS, **further):
            sealed = provider.seal(text, provider.keys[0])
            response = await client.post("/webhook/dowinn", data=sealed, headers={**headers, **further})
            return await response.read()

        yield call


async def test_a_decided_call_is_told_with_ids_and_phases(send, watcher):
    """And its request id."""
    with structlog.testing.capture_logs() as lines:
        await send(bet_text(), **{"X-Request-Id": "r-1"})
    (told,) = watcher
    assert told.context.request_id == "r-1"
    assert watcher.phases == ["open", "queue", "redis", "commit", "reply"]
    (line,) = lines
    assert (line["event"], line["log_level"], line["event_type"]) == ("call_decided", "debug", "bet")
    assert (line["code"], line["reason"], line["place"]) == ("R0", "bet", "")
    assert line["transaction_id"] == told.call.command.transaction_id
    assert line["phases_ms"] == dict.fromkeys(watcher.phases, 1000.0)
    assert line["taken_ms"] == 5000.0


async def test_no_line_of_a_decision_has_a_key_or_a_text(send, watcher):
    """Whatever came of the call: what is secret, and what stood in the request, stays out."""
    text = bet_text()
    with structlog.testing.capture_logs() as lines:
        await send(text)
        await send(text.replace(b'"bet_amount"', b'"bet_amount_x"'))
        await send(text, {**HEADERS, "Api-Key": "g" * 32})
        await send(text, {**HEADERS, "Api-Id": "other"})
    decided = [line for line in lines if line["event"] == "call_decided"]
    assert [line["code"] for line in decided] == ["R0", "R3", "R2", "R2"]
    for secret in (KEY, "g" * 32, "feedback_data", "bet_amount_x", "table_no", "bets"):
        assert secret not in str([{**line, "place": ""} for line in decided]), secret
    assert decided[1]["transaction_id"] == decided[0]["transaction_id"]
    assert decided[2]["transaction_id"] == ""


async def test_phases_are_those_that_a_call_came_to(send, watcher, wallet, monkeypatch):
    """Not read, not valid, given up while Redis was waited for, while the commit was, and never sent."""
    await send(bet_text(), {**HEADERS, "Api-Key": "g" * 32})
    assert watcher.phases == ["reply"]
    await send(b"{}")
    assert watcher.phases == ["open", "reply"]
    for moments, expected in (
        ((0.0, 0.0), ["open", "queue", "reply"]),
        ((1.0, 0.0), ["open", "queue", "redis", "reply"]),
        ((1.0, 2.0), ["open", "queue", "redis", "commit", "reply"]),
    ):

        async def apply(command, policy, call, given=moments):
            await asyncio.sleep(0)
            call.sent_s, call.answered_s = (each and CLOCK.monotonic_s() for each in given)
            return Answer(Code.R1, "deadline")

        monkeypatch.setattr(wallet, "apply", apply)
        await send(bet_text())
        assert watcher.phases == expected


async def test_a_watcher_that_fails_costs_no_answer(send, watcher):
    """It is reported as a bug, and the next one is told."""
    good = await send(bet_text())
    watcher.fault = RuntimeError("of no use")
    with structlog.testing.capture_logs() as lines:
        assert len(await send(bet_text())) == len(good)
    assert [line["event"] for line in lines] == ["webhook_error", "call_decided"]
    assert "of no use" not in str(lines)


@pytest.mark.parametrize(("level", "expected"), [("INFO", []), ("DEBUG", [DecisionLog])])
async def test_nobody_is_told_unless_the_settings_say_so(level, expected):
    """Without them the answer costs a look whether there is somebody."""
    settings = SimpleNamespace(**{**SETTINGS, "log_level": level})
    async with call_watchers(settings, CLOCK) as watchers:  # type: ignore[arg-type]
        assert [type(each) for each in watchers] == expected


async def test_spans_without_their_library_are_a_wrong_setting(monkeypatch):
    """One line says what to install."""
    monkeypatch.delitem(sys.modules, "seamless_wallet.processes.call_spans", raising=False)
    needed = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, needed, None)
    settings = SimpleNamespace(**{**SETTINGS, "traces": "otlp"})
    with pytest.raises(SettingsError, match=r"WALLET_TRACES: .* run `pip install 'seamless-wallet\[otel\]'"):
        async with call_watchers(settings, CLOCK):  # type: ignore[arg-type]
            pass
