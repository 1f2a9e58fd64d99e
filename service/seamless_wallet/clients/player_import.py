"""Brings a file of players into a wallet: in batches, several at a time, as often as one likes.

Who was taken once is `known` from then on, so an import that was cut short is simply run again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from seamless_wallet.clients.admin_api import PAUSE_FIRST_S, PAUSE_MAX_S, AdminClient, AdminUnreachable, Imported
from seamless_wallet.clients.player_files import Line

PLAYERS_SENT_MAX: Final = 200
PLAYERS_BYTES_MAX: Final = 40 * 1024
"""Bounds of one request."""

PLAYER_BYTES_MAX: Final = 4096
"""A line that says more is none of a player."""

REQUESTS_AT_ONCE: Final = 4

IMPORT_PATIENCE_S: Final = 60.0
"""How long players are sent again while it is unknown what came of them."""


class NotTaken(msgspec.Struct, frozen=True):
    """A line whose player is not as the file says, and why."""

    line: int
    user_id: str
    problem: str
    detail: str


class PlayerImport:
    """One run. `counts`: outcome → players, `refused` among them. `report` is told of each line that is not taken."""

    def __init__(self, admin: AdminClient, report: Callable[[NotTaken], None], progress: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._admin = admin
        self._report = report
        self._progress = progress

    async def run(self, lines: Iterator[Line]) -> None:
        """Bring all lines in. Raises AdminError if the wallet does not answer; then run it again later."""
        sent = asyncio.Semaphore(REQUESTS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for batch in self._batches(lines):
                    await sent.acquire()
                    group.create_task(self._send(batch, sent))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _batches(self, lines: Iterator[Line]) -> Iterator[list[Line]]:
        batch: list[Line] = []
        size = 0
        for line in lines:
            if line.player is None:
                self._note(line, Imported("refused", "invalid-line", line.wrong))
                continue
            added = len(msgspec.json.encode(line.player))
            if added > PLAYER_BYTES_MAX:
                self._note(line, Imported("refused", "invalid-line", "it is too long"))
                continue
            if batch and (len(batch) == PLAYERS_SENT_MAX or size + added > PLAYERS_BYTES_MAX):
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += added
        if batch:
            yield batch

    async def _send(self, batch: Sequence[Line], sent: asyncio.Semaphore) -> None:
        give_up_s, pause_s = time.monotonic() + IMPORT_PATIENCE_S, PAUSE_FIRST_S
        while True:
            players = [line.player for line in batch if line.player]
            results = await self._admin.import_players(players)
            unknown = []
            for line, result in zip(batch, results, strict=True):
                if result.outcome == "unknown":
                    unknown.append(line)
                else:
                    self._note(line, result)
            self._progress()
            if not unknown:
                break
            if time.monotonic() + pause_s > give_up_s:
                raise AdminUnreachable(f"what comes of line {unknown[0].number} stays unknown: run it again later")
            await asyncio.sleep(pause_s)
            batch, pause_s = unknown, min(PAUSE_MAX_S, 2 * pause_s)
        sent.release()

    def _note(self, line: Line, result: Imported) -> None:
        self.counts[result.outcome] += 1
        if result.outcome == "refused":
            user_id = line.player.user_id if line.player else ""
            self._report(NotTaken(line.number, user_id, result.problem or "", result.detail))
