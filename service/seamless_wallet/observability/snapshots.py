"""What processes have counted: the snapshot of one at one moment, and the totals of many, also of those that ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from seamless_wallet.observability.instruments import Labels, Merge, Metric, Value

Values = dict[str, dict[Labels, Value]]
"""By the name of a metric and by labels."""


class Snapshot(NamedTuple):
    """What one process has counted so far. `token` tells it from every other process that had its role and pid."""

    role: str
    pid: int
    token: str
    values: Values

    @property
    def identity(self) -> str:
        """Names the process for ever."""
        return f"{self.role}-{self.pid}-{self.token}"

    def to_json(self) -> bytes:
        """The snapshot for another process, or for a file."""
        return orjson.dumps([self.role, self.pid, self.token, _flat(self.values)])

    @classmethod
    def from_json(cls, text: bytes) -> Snapshot:
        """Raises ValueError if the text is not that of a snapshot."""
        try:
            role, pid, token, values = orjson.loads(text)
            return cls(str(role), int(pid), str(token), _nested(values))
        except (TypeError, AttributeError) as error:
            raise ValueError("not a snapshot") from error


class Totals:
    """Adds up the snapshots of processes. What a process has counted stays when it ends, and nothing counts twice."""

    def __init__(self, metrics: Iterable[Metric[Any]]) -> None:
        self._metrics: Final = {metric.name: metric for metric in metrics}
        self._ended: Values = {}  # the sum of all processes that have ended
        self._last: dict[str, Snapshot] = {}  # of each process that has not, by identity
        self._farewells: dict[str, tuple[str, int]] = {}  # identity → role and pid, if ended by its own last snapshot

    def update(self, answered: Iterable[Snapshot], unanswered: Collection[tuple[str, int]] = ()) -> bool:
        """Take what processes answered. `unanswered` are the role and pid of those that run, but did not answer.

        All others have ended. Returns whether one of them had not ended before.
        """
        present = {snapshot.identity: snapshot for snapshot in answered if snapshot.identity not in self._farewells}
        ended = [
            snapshot
            for identity, snapshot in self._last.items()
            if identity not in present and (snapshot.role, snapshot.pid) not in unanswered
        ]
        for snapshot in ended:
            self._add(self._ended, snapshot, gauges=False)
            del self._last[snapshot.identity]
        self._last |= present
        return bool(ended)

    def processes(self) -> set[tuple[str, int]]:
        """Role and pid of all that have not ended, as far as is known."""
        return {(snapshot.role, snapshot.pid) for snapshot in self._last.values()}

    def end(self, farewell: Snapshot) -> None:
        """Take the last snapshot of a process, which it made at its end. Taking it again changes nothing."""
        if farewell.identity not in self._farewells:
            self._farewells[farewell.identity] = (farewell.role, farewell.pid)
            self._last.pop(farewell.identity, None)
            self._add(self._ended, farewell, gauges=False)

    def keep_farewells(self, farewells: Iterable[Snapshot], running: Collection[tuple[str, int]]) -> None:
        """Forget all farewells but these, and those of running processes, given by role and pid.

        The others will not be taken again, nor will their processes answer.
        """
        kept = {farewell.identity for farewell in farewells}
        self._farewells = {
            identity: process for identity, process in self._farewells.items() if identity in kept or process in running
        }

    def values(self, answered: Collection[Snapshot]) -> Values:
        """All together. Gauges only of the processes in `answered`, as others have no present state."""
        identities = {snapshot.identity for snapshot in answered}
        total: Values = {name: dict(series) for name, series in self._ended.items()}
        for identity, snapshot in self._last.items():
            self._add(total, snapshot, gauges=identity in identities)
        return total

    def to_json(self) -> bytes:
        """All that is known, for a file."""
        last = [orjson.Fragment(snapshot.to_json()) for snapshot in self._last.values()]
        return orjson.dumps({"ended": _flat(self._ended), "last": last, "farewells": self._farewells})

    def restore(self, text: bytes) -> None:
        """Begin with what `to_json` gave. Raises ValueError if it is not that."""
        try:
            read = orjson.loads(text)
            ended, farewells = (
                _nested(read["ended"]),
                {key: (role, pid) for key, (role, pid) in read["farewells"].items()},
            )
            last = [Snapshot.from_json(orjson.dumps(each)) for each in read["last"]]
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not totals") from error
        self._ended, self._farewells = ended, farewells
        self._last = {snapshot.identity: snapshot for snapshot in last}

    def _add(self, total: Values, snapshot: Snapshot, *, gauges: bool) -> None:
        """Add a snapshot to a total. What this program does not declare in the same form is left out."""
        for name, series in snapshot.values.items():
            metric = self._metrics.get(name)
            if metric is None or (metric.kind == "gauge" and not gauges):
                continue
            sums = total.setdefault(name, {})
            for labels, value in series.items():
                if metric.fits(labels, value):
                    sums[labels] = _merged(metric.merge, sums[labels], value) if labels in sums else value


def _merged(merge: Merge, one: Value, other: Value) -> Value:
    """Two values of one form together."""
    if isinstance(one, list) and isinstance(other, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    if isinstance(one, list) or isinstance(other, list):
        raise TypeError("a histogram and a number")
    if merge == "sum":
        return one + other
    return max(one, other) if merge == "max" else min(one, other)


def _flat(values: Mapping[str, Mapping[Labels, Value]]) -> dict[str, list[Any]]:
    """Values in a form that JSON has."""
    return {name: [[list(labels), value] for labels, value in series.items()] for name, series in values.items()}


def _nested(flat: Mapping[str, list[Any]]) -> Values:
    """The opposite of `_flat`."""
    return {name: {tuple(labels): value for labels, value in series} for name, series in flat.items()}
