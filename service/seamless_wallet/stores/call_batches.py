"""The files that workers leave, as a store takes them: some at a time, the oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from seamless_wallet.calls.record import CallRecord, decode_batch
from seamless_wallet.calls.spool import Spool

TAKEN_BYTES_MAX: Final = 2 * 2**20
"""Of files in one transaction, so that nobody waits long for it: some thousands of calls. One file may have more."""


NOT_STORABLE: Final = (ValueError, TypeError, OverflowError)
"""What calls raise that no table takes, beside the errors of the database: it is no use to try them again."""


class WaitingBatch(NamedTuple):
    """A file, the calls in it, and what is wrong with it if it is no batch, or none that can be kept."""

    path: Path
    calls: Sequence[CallRecord]
    problem: str = ""

    def not_storable(self, error: Exception) -> WaitingBatch:
        """The same, which must not hold up those after it for ever: it is removed, and told."""
        return self._replace(problem=f"{self.path.name}: cannot be kept: {error}")


def waiting_batches(spool: Spool) -> Iterator[WaitingBatch]:
    """Some of the batches that are there. Raises OSError.

    Ask within the transaction that takes them: a file that is there now was not removed before, and so its name is
    still known, if somebody has taken it.
    """
    size = 0
    for path in spool.batches():
        if size >= TAKEN_BYTES_MAX:
            return
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        size += len(content)
        try:
            yield WaitingBatch(path, decode_batch(content))
        except ValueError as error:
            yield WaitingBatch(path, (), f"{path.name}: {error}")


def remove_taken(batches: Iterable[WaitingBatch], on_broken: Callable[[str], None]) -> None:
    """Remove files whose calls are kept. `on_broken` is told about each that was no batch. Raises OSError."""
    for batch in batches:
        batch.path.unlink(missing_ok=True)
        if batch.problem:
            on_broken(batch.problem)
