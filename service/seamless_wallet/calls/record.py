"""One call, as a worker tells of it. Never with a key or a header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from seamless_wallet.commands import Code

TEXT_BYTES_MAX: Final = 64 * 1024
"""Of a request or a reply that is kept. A bet has about 600 bytes; of a longer text the beginning is kept."""

BATCH_VERSION: Final = 1
"""Of the form in which records stand in a file."""

FAILED: Final = (Code.R1, Code.R2, Code.R3)
"""Calls that did not get through. R4 is a decision: the player has not enough money."""


class CallRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One call. Times in microseconds, `received_ms` in epoch milliseconds by our clock.

    In a file it is the array of these fields, in this order: add new ones at the end, with a default.
    """

    received_ms: int
    provider: str
    peer: str  # the address that it came from, behind trusted proxies; "" if there is none
    key_slot: str  # current or previous; "" for a caller without a right key
    event: str  # the provider's name of it; "" if it could not be read
    user_id: str
    transaction_id: str
    game_no: str
    code: str
    reason: str
    place: str  # where in the request the fault is: a path of fields
    read_us: int  # from the headers to the end of the body
    open_us: int  # decrypt and decode
    decide_us: int  # Redis, and the wait for the commit
    seal_us: int  # encode and encrypt the reply
    request: bytes  # decrypted, of at most TEXT_BYTES_MAX
    reply: bytes
    request_bytes: int  # as it came
    replay_of: int = 0  # the id of the call that the back office had decided again


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, list[CallRecord]]).decode


def encode_batch(records: Sequence[CallRecord]) -> bytes:
    """The content of a file."""
    return _encode((BATCH_VERSION, records))


def decode_batch(content: bytes) -> list[CallRecord]:
    """The inverse of `encode_batch`. Raises ValueError if it is none, or of a newer version."""
    try:
        version, records = _decode(content)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a batch of calls: {error}") from None
    if version != BATCH_VERSION:
        raise ValueError(f"a batch of version {version}; this program reads {BATCH_VERSION}")
    return records
