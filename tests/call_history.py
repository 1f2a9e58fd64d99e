"""Records of calls for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from seamless_wallet.calls.record import CallBatch, CallRecord

NOW_MS = 1_771_000_000_000

BET = CallRecord(
    received_ms=NOW_MS,
    provider="acme",
    peer="192.0.2.7",
    key_slot="current",
    event="bet",
    user_id="ann",
    transaction_id="t-1",
    game_no="g-1",
    code="R0",
    reason="bet",
    place="",
    problem="",
    read_us=10,
    open_us=20,
    queue_us=100,
    redis_us=900,
    commit_us=2000,
    seal_us=30,
    request=b'{"event_type":"bet"}',
    reply=b'{"code":"R0"}',
    request_bytes=20,
)


def call_record(**changes: Any) -> CallRecord:
    """A bet that was taken, with changes."""
    return msgspec.structs.replace(BET, **changes)


def encode_batch(records: Iterable[CallRecord]) -> bytes:
    """The content of a file with these calls."""
    batch = CallBatch()
    for record in records:
        batch.add(record)
    return bytes(batch.finish())
