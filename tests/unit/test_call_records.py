"""What the history gets to know of each call, and what it never does."""

from __future__ import annotations

import asyncio
import json
import os
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from seamless_wallet.calls.record import TEXT_BYTES_MAX, CallRecord
from seamless_wallet.commands import Answer, Code, Command, Policy
from seamless_wallet.ports import Moments
from seamless_wallet.providers import build_provider
from seamless_wallet.webhook.endpoint import webhook_app

SAMPLES = Path(__file__).parents[1] / "samples" / "dowinn_v3"
KEY = "k3y-of-32-bytes-for-tests-only!!"
OLD_KEY = "old-key-of-32-bytes-for-tests!!!"
HEADERS = {"Api-Id": "agent7", "Api-Key": KEY}
NOW_MS = 1_771_000_009_000


class SteppingClock:
    """A second later, each time that it is asked."""

    seconds = 0.0

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        self.seconds += 1
        return self.seconds


CLOCK = SteppingClock()


class SayingYes:
    """A wallet."""

    async def apply(self, command: Command, policy: Policy, moments: Moments | None = None) -> Answer:
        await asyncio.sleep(0)
        assert moments is not None
        moments.sent_s = CLOCK.monotonic_s()
        moments.answered_s = CLOCK.monotonic_s()
        return Answer(Code.R0, "bet", 9250000, 0, "KRW")


class Kept(list):
    """A recorder."""

    fault: Exception | None = None

    def record(self, call: CallRecord) -> None:
        if self.fault:
            raise self.fault
        self.append(call)


@pytest.fixture
def kept():
    """What was recorded."""
    return Kept()


@pytest.fixture
async def send(kept):
    """Sends a call to an endpoint with two keys."""
    provider = build_provider(
        random_bytes=os.urandom,
        name="dowinn",
        api_id="agent7",
        api_key=KEY,
        previous_api_key=OLD_KEY,
        currencies={"KRW": 2},
    )
    app = webhook_app(
        {"dowinn": provider},
        SayingYes(),
        body_bytes_max=2**20,
        clock=CLOCK,
        trusted_proxies=(ip_network("127.0.0.0/8"),),
        recorder=kept,
    )
    async with TestClient(TestServer(app)) as client:

        async def call(text=None, headers=HEADERS, path="/webhook/dowinn", body=None, method="POST"):
            key = provider.match_key(headers.get("Api-Key", "")) or provider.keys[0]
            sealed = body if body is not None else provider.seal(text, key)
            response = await client.request(method, path, data=sealed, headers=headers)
            return await response.read()

        yield call


def bet_text() -> bytes:
    """The plain text of the sample."""
    provider = build_provider(
        random_bytes=os.urandom, name="dowinn", api_id="agent7", api_key=KEY, currencies={"KRW": 2}
    )
    return provider.open((SAMPLES / "bet_batch.body").read_bytes(), provider.keys[0])


async def test_a_decided_call_is_recorded_with_ids_phases_and_texts(send, kept):
    """All that somebody may look for, and what it took."""
    text = bet_text()
    await send(text, {**HEADERS, "X-Forwarded-For": "203.0.113.9"})
    sent = json.loads(text)
    (call,) = kept
    assert call.provider == "dowinn"
    assert (call.peer, call.key_slot, call.event) == ("203.0.113.9", "current", "bet")
    assert (call.user_id, call.transaction_id) == (sent["user_id"], sent["transaction_id"])
    assert call.game_no == sent["data"]["game_no"]
    assert (call.code, call.reason, call.place) == ("R0", "bet", "")
    assert (call.read_us, call.open_us, call.queue_us, call.redis_us, call.commit_us, call.seal_us) == (1_000_000,) * 6
    assert call.taken_us == 5_000_000
    assert call.request == text
    assert json.loads(call.reply)["code"] == "R0"
    assert call.received_ms == NOW_MS


async def test_an_invalid_call_names_the_field_and_all_ids_that_can_be_read(send, kept):
    """So that it is found by them."""
    sent = json.loads(bet_text())
    sent["data"]["bets"][0]["bet_amount"] = -1
    await send(json.dumps(sent).encode())
    (call,) = kept
    assert (call.code, call.reason, call.place) == ("R3", "amount", "data.bets[0].bet_amount")
    assert (call.user_id, call.transaction_id) == (sent["user_id"], sent["transaction_id"])
    assert call.game_no == sent["data"]["game_no"]


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"transaction_id": 5}, ("", "g")),
        ({"data": []}, ("t" * 128, "")),
        ({"user_id": ""}, ("t" * 128, "g")),
    ],
)
async def test_what_cannot_be_read_is_empty_and_what_is_too_long_is_cut(send, kept, changes, ids):
    """Whatever the caller wrote there."""
    sent = {"event_type": "bet", "transaction_id": "t" * 500, "user_id": "ann", "data": {"game_no": "g"}}
    await send(json.dumps({**sent, **changes}).encode())
    (call,) = kept
    assert call.code == "R3"
    assert (call.transaction_id, call.game_no) == ids


async def test_an_event_that_nobody_knows_is_no_event(send, kept):
    """Its name is the caller's."""
    await send(json.dumps({**json.loads(bet_text()), "event_type": "jackpot"}).encode())
    assert (kept[0].event, kept[0].reason) == ("", "event_type")


async def test_an_undecryptable_call_is_recorded_without_its_body(send, kept):
    """It is noise, or a key that is none of ours."""
    await send(body=b"AAAA")
    (call,) = kept
    assert (call.code, call.reason, call.key_slot) == ("R2", "undecryptable", "current")
    assert (call.request, call.request_bytes) == (b"", 0)


async def test_strangers_are_recorded_with_nothing_of_theirs(send, kept):
    """Neither what they sent, nor the provider that they made up."""
    await send(b"{}", {"Api-Id": "agent7", "Api-Key": "guess"})
    await send(b"{}", path="/webhook/made-up")
    assert [(call.provider, call.reason, call.key_slot) for call in kept] == [
        ("dowinn", "api_key", ""),
        ("unknown", "no_provider", ""),
    ]
    assert all(call.peer == "127.0.0.1" and not call.request for call in kept)


async def test_a_wrong_path_or_method_below_webhook_is_recorded(send, kept):
    """Under the provider whose URL it may have been meant for. What else comes to the port is no webhook."""
    await send(b"{}", method="GET")
    await send(b"{}", path="/webhook/made-up", method="PUT")
    await send(b"{}", path="/webhook/dowinn/bet")
    await send(b"{}", path="/webhook/made-up/", method="GET")
    await send(b"{}", path="/")
    await send(b"{}", path="/webhooks/dowinn")
    assert [(call.provider, call.code, call.reason, call.key_slot) for call in kept] == [
        ("dowinn", "R2", "method", ""),
        ("unknown", "R2", "method", ""),
        ("dowinn", "R2", "path", ""),
        ("unknown", "R2", "path", ""),
    ]
    assert all(call.peer == "127.0.0.1" and not call.request for call in kept)


async def test_no_key_and_no_header_is_ever_recorded(send, kept):
    """In any field of any call."""
    for headers in (HEADERS, {**HEADERS, "Api-Key": OLD_KEY}, {**HEADERS, "Api-Key": "a-wrong-key"}):
        await send(bet_text(), {**headers, "X-Secret": "header-value"})
    assert [call.key_slot for call in kept] == ["current", "previous", ""]
    everything = msgspec.msgpack.encode(list(kept))
    for secret in (KEY, OLD_KEY, "a-wrong-key", "header-value"):
        assert secret.encode() not in everything


async def test_a_long_request_is_cut(send, kept):
    """Its length is kept."""
    text = json.dumps({**json.loads(bet_text()), "feedback_data": "x" * 2 * TEXT_BYTES_MAX}).encode()
    await send(text)
    (call,) = kept
    assert call.request == text[:TEXT_BYTES_MAX]
    assert call.request_bytes == len(text)


async def test_a_long_reply_is_cut(send, kept):
    """A wrong request is answered with the user_id that it had, however long that is."""
    await send(json.dumps({**json.loads(bet_text()), "user_id": "u" * 3 * TEXT_BYTES_MAX}).encode())
    (call,) = kept
    assert call.code == "R3"
    assert len(call.reply) == TEXT_BYTES_MAX


async def test_a_recorder_that_fails_changes_no_answer(send, kept):
    """The answer never depends on the history."""
    good = await send(bet_text())
    kept.fault = RuntimeError("a bug")
    assert await send(bet_text()) == good
