"""How everything is that the service needs, for `/readyz`: known beforehand, so that no probe waits for anything.

Each part is asked in a task of its own: twice a second, and more often while it is not ok. A part that does not answer
is not ok.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from seamless_wallet.backoffice.health import OK
from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import metrics
from seamless_wallet.processes.lifetime import Lifetime
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.supervisor.kinds import WORKER, WRITER

ASK_EVERY_S: Final = 0.5
ASK_AGAIN_S: Final = 0.05
"""After an answer other than ok."""

STALE_S: Final = 3.0
"""An answer that is older says nothing any more."""

LAG_MAX_S: Final = 1.0
"""An event loop that is later than that does not do its work in time."""

NO_REDIS: Final = "no connection to the server that the ledger has recorded"
OTHER_WRITER: Final = "another writer, of a copy of the ledger, works on this Redis"
NO_WORKER: Final = "no worker is connected to Redis"


class Readiness:
    """The state of every component, as it was asked last. `ledger` is read in a thread that nothing else uses."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, lifetime: Lifetime) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._lifetime = lifetime
        self._answers: dict[str, tuple[str, float]] = {}
        self._lag_s = 0.0
        self.was_ok = asyncio.Event()
        """Ledger and writer were ok at least once."""

    async def components(self) -> Mapping[str, str]:
        """The name of each component → `ok`, or why it is not ok."""
        found = {
            "redis": OK if self._pipeline.usable.is_set() else NO_REDIS,
            "ledger": self._answer("ledger"),
            "writer": self._answer("writer"),
            "workers": self._answer("workers"),
            "admin": OK if self._lag_s < LAG_MAX_S else f"its event loop was {self._lag_s:.1f} s late",
        }
        return found | self._from_parent()

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask all parts until the context ends."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._ask_for_ever("ledger", self._ask_ledger)),
                group.create_task(self._ask_for_ever("writer", self._ask_writer)),
                group.create_task(self._ask_for_ever("workers", self._ask_workers)),
                group.create_task(self._measure_lag_for_ever()),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    def _answer(self, name: str) -> str:
        answer, at_s = self._answers.get(name, ("not known yet", float("inf")))
        age_s = asyncio.get_running_loop().time() - at_s
        return f"no answer for {age_s:.0f} s" if age_s > STALE_S else answer

    async def _ask_for_ever(self, name: str, ask: Callable[[], Awaitable[str]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            answer = await ask()
            self._answers[name] = answer, loop.time()
            if all(self._answer(part) == OK for part in ("ledger", "writer")):
                self.was_ok.set()
            await asyncio.sleep(ASK_EVERY_S if answer == OK else ASK_AGAIN_S)

    async def _measure_lag_for_ever(self) -> None:
        """Measure how late the event loop is, and have the gauges say what `/readyz` would."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + ASK_EVERY_S
            await asyncio.sleep(ASK_EVERY_S)
            self._lag_s = loop.time() - due_s
            for name, state in (await self.components()).items():
                metrics.COMPONENT_READY.labels(name).set(int(state == OK))

    async def _ask_ledger(self) -> str:
        try:
            await self._ledger.heads()
        except StoreError as error:
            return str(error)
        return OK

    async def _ask_writer(self) -> str:
        """A writer sets the heartbeats of its shards after a whole cycle: read, committed, confirmed."""
        shards = range(self._ledger.shards)
        try:
            beats: list[bytes | None] = await asyncio.gather(
                *(self._pipeline.execute("GET", keys.heartbeat(shard)) for shard in shards)
            )
            named = [await self._ledger.has_named(nonce) for nonce in {keys.beating(beat) for beat in beats if beat}]
        except (RedisUnavailable, StoreError):
            return "unknown"
        metrics.FOREIGN_WRITER.set(int(not all(named)))
        if not all(named):
            return OTHER_WRITER
        silent = [str(shard) for shard, beat in zip(shards, beats, strict=True) if not beat]
        late = f"finished no cycle in the last {keys.HEARTBEAT_MS / 1000:g} s"
        if silent and named:
            return f"no writer of shard {', '.join(silent)} {late}"
        return late if silent else OK

    async def _ask_workers(self) -> str:
        """This process listens to the writer, and so does every worker that is connected to Redis."""
        try:
            channel = keys.committed_channel(self._ledger.uuid)
            _, listeners = await self._pipeline.execute("PUBSUB", "NUMSUB", channel)
        except RedisUnavailable:
            return "unknown"
        return OK if listeners > 1 else NO_WORKER

    def _from_parent(self) -> dict[str, str]:
        """What the parent knows of its children, which goes before what Redis shows of them. Nothing without a parent.

        A stopped worker is still connected to Redis.
        """
        if not self._lifetime.has_parent:
            return {}
        silent_s = asyncio.get_running_loop().time() - self._lifetime.parent_message_s
        if silent_s > STALE_S:
            return {"parent": f"has not responded for {silent_s:.0f} s"}
        children: dict[str, Any] = json.loads(self._lifetime.parent_message or "{}")
        states = {"parent": OK}
        for name, child in children.items():
            if child["kind"] == WRITER and not child["turns"] and self._answer("writer") != OTHER_WRITER:
                states["writer"] = f"{name} {child['state']}"
        workers = {name: child["state"] for name, child in children.items() if child["kind"] == WORKER}
        ready = sum(state == OK for state in workers.values())
        late = ", ".join(f"{name} {state}" for name, state in workers.items() if state != OK)
        states["workers"] = f"{ready} of {len(workers)}: {late}" if late else OK
        return states
