"""Entries for tests."""

from __future__ import annotations

from collections.abc import Mapping

from seamless_wallet.commands import Command
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.payload import encode_payload


def entry_of(shard: int, epoch: int, seq: int, command: Command, decided: bytes, token: str = "") -> Entry:
    """The entry of a command, as it comes from Redis."""
    return Entry(shard, epoch, seq, command.user_id, command.provider, encode_payload(command), decided, token)


def forged(
    entry: Entry,
    *,
    shard: int | None = None,
    epoch: int | None = None,
    seq: int | None = None,
    user_id: str | None = None,
    provider: str | None = None,
    payload: bytes | None = None,
    decided: bytes | None = None,
) -> Entry:
    """The entry, with something else in place of some of it."""
    return Entry(
        entry.shard if shard is None else shard,
        entry.epoch if epoch is None else epoch,
        entry.seq if seq is None else seq,
        entry.user_id if user_id is None else user_id,
        entry.provider if provider is None else provider,
        entry.payload if payload is None else payload,
        entry.decided if decided is None else decided,
        entry.token,
        entry.before,
    )


def streamed(shard: int, at: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """An entry as a client of Redis reads it from the stream."""
    epoch, seq = at.split(b"-")
    user_id, provider, token, before = (fields[name].decode() for name in (b"u", b"p", b"t", b"b"))
    return Entry(shard, int(epoch), int(seq), user_id, provider, fields[b"e"], fields[b"d"], token, before)
