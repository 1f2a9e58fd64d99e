"""Calls as the rows of a table, whatever database has it.

An id is the time of a call in epoch milliseconds, shifted by `ID_SHIFT` bits, and a number within that millisecond: so
the order of the ids is that of time, and each names its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import astuple

from seamless_wallet.calls.ports import StoredCall
from seamless_wallet.calls.record import FAILED, CallRecord

ID_SHIFT: Final = 20
"""Bits of an id below the time of its call."""

ID_MAX: Final = 2**63 - 1

CALL_COLUMNS: Final = ("id", *CallRecord.__struct_fields__[1:], "failed")
"""Of a row that is inserted."""

STORED_COLUMNS: Final = (*CALL_COLUMNS, "acknowledged_ms", "note")
"""Of a whole row."""

_FAILED: Final = frozenset(FAILED)


def call_rows_of(records: Iterable[CallRecord], taken: Mapping[int, int]) -> Iterator[Sequence[Any]]:
    """A row for each call, under an id that is free. `taken`: millisecond → its last id that is taken."""
    last = dict(taken)
    for record in records:
        received_ms, *values = astuple(record)
        call_id = last.get(received_ms, (received_ms << ID_SHIFT) - 1) + 1
        last[received_ms] = call_id
        yield call_id, *values, record.code in _FAILED


def span_of(records: Sequence[CallRecord]) -> tuple[int, int]:
    """The ids that these calls may have, at least one: from the first one to before the last one."""
    times = [record.received_ms for record in records]
    return min(times) << ID_SHIFT, max(times) + 1 << ID_SHIFT


def stored_call(row: Sequence[Any]) -> StoredCall:
    """The call of a row with `STORED_COLUMNS`. A text that was not read is NULL."""
    call_id, *values, _failed, acknowledged_ms, note = row
    told: list[Any] = [b"" if value is None else value for value in values]
    return StoredCall(call_id, CallRecord(call_id >> ID_SHIFT, *told), acknowledged_ms, note)
