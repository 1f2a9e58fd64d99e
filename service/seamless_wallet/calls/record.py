"""One call, as a worker tells of it, and many of them as the content of a file. Never with a key or a header."""

from __future__ import annotations

from typing import Final

import msgspec

from seamless_wallet.commands import Code

TEXT_BYTES_MAX: Final = 64 * 1024
"""Of a request or a reply that is kept. A bet has about 600 bytes; of a longer text the beginning is kept."""

BATCH_VERSION: Final = 2
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
    key_slot: str  # current (the setting api_key) or previous (previous_api_key); "" for a caller without a right key
    event: str  # the provider's name of it; "" if it could not be read
    user_id: str
    transaction_id: str
    game_no: str
    code: str
    reason: str
    place: str  # where in the request the fault is: a path of fields
    problem: str  # what is wrong there, as it stands after the name of a field
    read_us: int  # from the headers to the end of the body
    open_us: int  # decrypt and decode
    queue_us: int  # until its last script was sent to Redis: look-ups, loads, and earlier tries
    redis_us: int  # until Redis answered that script
    commit_us: int  # until what it decided was committed, or looked up
    seal_us: int  # encode and encrypt the reply
    request: bytes  # decrypted, of at most TEXT_BYTES_MAX
    reply: bytes  # before it was sealed, of at most as many
    request_bytes: int  # as it came
    replay_of: int = 0  # the id of the call that the back office had decided again

    @property
    def taken_us(self) -> int:
        """From the end of the body to the sealed reply."""
        return self.open_us + self.queue_us + self.redis_us + self.commit_us + self.seal_us


def decision_phases_us(begun_s: float, sent_s: float, answered_s: float, decided_s: float) -> tuple[int, int, int]:
    """`queue_us`, `redis_us` and `commit_us`, of moments in seconds; 0: it did not come to that.

    What a call waited for when it was given up has all the time from then on.
    """
    sent_s = sent_s or decided_s
    answered_s = answered_s or decided_s
    return (
        int((sent_s - begun_s) * 1_000_000),
        int((answered_s - sent_s) * 1_000_000),
        int((decided_s - answered_s) * 1_000_000),
    )


_HEAD_BYTES: Final = 7
_COUNT_BYTES: Final = 4

_encode_into: Final = msgspec.msgpack.Encoder().encode_into
_decode: Final = msgspec.msgpack.Decoder(tuple[int, list[CallRecord]]).decode


class CallBatch:
    """The content of a file, which grows with each record.

    A record is encoded at once and forgotten: kept until somebody writes it, it would hold memory that is in the cache,
    and every call would have to fetch other memory.
    """

    __slots__ = ("calls", "content")

    def __init__(self) -> None:
        self.calls = 0
        self.content = bytearray(_HEAD_BYTES)

    def add(self, record: CallRecord) -> None:
        """Take one more. Raises what the encoder does for a text that is none, and then nothing is changed."""
        size = len(self.content)
        try:
            _encode_into(record, self.content, size)
        except BaseException:
            del self.content[size:]
            raise
        self.calls += 1

    def finish(self) -> bytearray:
        """The content, now that all are in it: MessagePack of the version and an array of the records."""
        self.content[:_HEAD_BYTES] = bytes((0x92, BATCH_VERSION, 0xDD)) + self.calls.to_bytes(_COUNT_BYTES, "big")
        return self.content


def decode_batch(content: bytes) -> list[CallRecord]:
    """The calls of a finished batch. Raises ValueError if it is none, or of another version."""
    try:
        version, records = _decode(content)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a batch of calls: {error}") from None
    if version != BATCH_VERSION:
        raise ValueError(f"a batch of version {version}; this program reads {BATCH_VERSION}")
    return records
