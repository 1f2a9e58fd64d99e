"""All that a server holds, as plain text: what one script run found and what it left."""

from __future__ import annotations

from typing import Any, NamedTuple

import redis

TTL_SLACK_MS = 10_000
"""How far two times to live may be apart and still be the same: tests take time, windows are hours."""


class Kept(NamedTuple):
    """One key: the fields of a hash or the entries of a stream, and its time to live."""

    value: Any  # dict[str, str], or list[tuple[str, dict[str, str]]]
    ttl_ms: int | None

    def like(self, other: Kept | None) -> bool:
        """Whether both hold the same for the same time."""
        if other is None or self.value != other.value:
            return False
        if self.ttl_ms is None or other.ttl_ms is None:
            return self.ttl_ms == other.ttl_ms
        return abs(self.ttl_ms - other.ttl_ms) <= TTL_SLACK_MS


Dump = dict[str, Kept]


def text(raw: bytes) -> str:
    """Any bytes as text of the same length: digests are not UTF-8."""
    return raw.decode("latin-1")


def _fields(raw: dict[bytes, bytes]) -> dict[str, str]:
    return {text(name): text(value) for name, value in raw.items()}


def dump(client: redis.Redis) -> Dump:
    """Every key of the server, with its time to live."""
    names: Any = sorted(client.keys("*"))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
        pipe.pttl(name)
    answers = pipe.execute()
    for name, kind in zip(names, answers[::2], strict=True):
        (pipe.hgetall if kind == b"hash" else pipe.xrange)(name)
    kept: Dump = {}
    for name, ttl_ms, raw in zip(names, answers[1::2], pipe.execute(), strict=True):
        value = _fields(raw) if isinstance(raw, dict) else [(text(at), _fields(fields)) for at, fields in raw]
        kept[name.decode()] = Kept(value, None if ttl_ms == -1 else ttl_ms)
    return kept


def changed(before: Dump, after: Dump) -> set[str]:
    """Names of the keys that came, went, or hold something else or for another time."""
    return {
        name for name in before.keys() | after.keys() if name not in before or not before[name].like(after.get(name))
    }


def assert_same(actual: Dump, expected: Dump) -> None:
    """Every key and every time to live, compared."""
    for name in sorted(changed(actual, expected)):
        assert actual.get(name) == expected.get(name), f"key {name}"
