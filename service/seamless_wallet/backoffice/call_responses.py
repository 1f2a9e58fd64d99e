"""The forms in which a call is told: JSON, lines of JSON, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import orjson

from seamless_wallet.backoffice.responses import iso_utc
from seamless_wallet.calls.record import FAILED

if TYPE_CHECKING:
    from seamless_wallet.calls.ports import StoredCall

CSV_COLUMNS: Final = (
    "id",
    "time",
    "provider",
    "event",
    "user_id",
    "transaction_id",
    "game_no",
    "code",
    "reason",
    "place",
    "problem",
    "taken_ms",
    "peer",
    "key",
    "acknowledged",
    "note",
    "replay_of",
    "request",
    "reply",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With one of these in front, a spreadsheet would take for a formula what a stranger wrote."""


def call_json(stored: StoredCall, *, texts: bool = False) -> dict[str, Any]:
    """A call. `texts`: with the request and the reply. An id is a string: it has more digits than JavaScript keeps."""
    call = stored.call
    body: dict[str, Any] = {
        "id": str(stored.id),
        "time": iso_utc(call.received_ms),
        "provider": call.provider,
        "event": call.event,
        "user_id": call.user_id,
        "transaction_id": call.transaction_id,
        "game_no": call.game_no,
        "code": call.code,
        "reason": call.reason,
        "place": call.place,
        "problem": call.problem,
        "failed": call.code in FAILED,
        "taken_ms": call.taken_us / 1000,
        "phases_ms": {
            "read": call.read_us / 1000,
            "open": call.open_us / 1000,
            "queue": call.queue_us / 1000,
            "redis": call.redis_us / 1000,
            "commit": call.commit_us / 1000,
            "reply": call.seal_us / 1000,
        },
        "peer": call.peer,
        "key": call.key_slot,
        "acknowledged": iso_utc(stored.acknowledged_ms) if stored.acknowledged_ms else None,
        "note": stored.note,
        "replay_of": str(call.replay_of) if call.replay_of else None,
    }
    if texts:
        body |= {"request": stored.request, "request_cut": stored.is_cut, "reply": stored.reply}
    return body


def calls_jsonl(calls: Iterable[StoredCall]) -> bytes:
    """One line of JSON for each call."""
    return b"".join(orjson.dumps(call_json(stored, texts=True)) + b"\n" for stored in calls)


def calls_csv(calls: Iterable[StoredCall], *, head: bool = True) -> bytes:
    """A table (RFC 4180), with a head or to go on with."""
    text = io.StringIO()
    table = csv.writer(text)
    if head:
        table.writerow(CSV_COLUMNS)
    for stored in calls:
        told = call_json(stored, texts=True)
        table.writerow(_cell(told[column]) for column in CSV_COLUMNS)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
