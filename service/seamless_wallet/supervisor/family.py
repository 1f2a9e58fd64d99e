"""All children of one `wallet up` together: in which order they start and stop, and how they are."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from seamless_wallet.supervisor.connection_balance import ConnectionBalance
from seamless_wallet.supervisor.kinds import ADMIN, VALKEY, WORKER
from seamless_wallet.supervisor.parent_socket import SURPLUS
from seamless_wallet.supervisor.roles import STOP_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from seamless_wallet.supervisor.child import Child


class Family:
    """The children by the names of their roles, in the order in which they start. `changed` is set by each of them."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._children: dict[str, Child] = {}
        self._others: set[Child] = set()  # being tried, or being replaced
        self._balance = ConnectionBalance()

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._children.values()))

    def get(self, name: str) -> Child | None:
        """The child that has a role."""
        return self._children.get(name)

    def add(self, child: Child) -> None:
        """Give a role to a child, also if another one had it."""
        self._others.discard(child)
        before = self._children.get(child.role.name)
        if before is not None:
            self._others.add(before)
        self._children[child.role.name] = child

    def try_out(self, child: Child) -> None:
        """A child that may get its role later. It is stopped with all others."""
        self._others.add(child)

    async def dismiss(self, child: Child) -> None:
        """Stop a child, and forget it."""
        await child.stop()
        self._others.discard(child)
        if self._children.get(child.role.name) is child:
            del self._children[child.role.name]

    @property
    def is_ready(self) -> bool:
        """Whether every child is ready now."""
        return all(child.is_ready for child in self)

    @property
    def turns(self) -> bool:
        """Whether every child runs and responds, ready or not."""
        return all(child.turns for child in self)

    def states(self) -> dict[str, str]:
        """The name of each child → `ok`, or why it is not ok."""
        return {child.role.name: child.state for child in self}

    @property
    def status(self) -> str:
        """`ready`, or which children are not."""
        late = ", ".join(f"{child.role.name} {child.state}" for child in self if not child.is_ready)
        return f"not ready: {late}" if late else "ready"

    async def wait_for_change(self) -> None:
        """Return when a child has become ready, or is not any more."""
        await self.changed.wait()
        self.changed.clear()

    async def start(self) -> None:
        """Start all, those that need the embedded Valkey when it answers."""
        waiting = list(self)
        for child in waiting:
            if child.role.kind in {ADMIN, VALKEY}:
                child.start()
        for child in waiting:
            if child.role.kind == VALKEY:
                await child.ready.wait()
        for child in waiting:
            if child.role.kind not in {ADMIN, VALKEY}:
                child.start()

    async def stop(self) -> bool:
        """Stop all, in order. False if one of them had to be killed."""
        in_order = True
        for kinds in STOP_ORDER:
            stopping = [child.stop() for child in self._all() if child.role.kind in kinds]
            in_order &= all(await asyncio.gather(*stopping))
        return in_order

    def kill(self) -> None:
        """Kill all now."""
        for child in self._all():
            child.kill()

    def beat(self) -> None:
        """Call it every HEARTBEAT_S: counts the silence of each child, and tells them of each other what they need."""
        for child in self._all():
            child.count_silence()
        self.tell_admin()
        self._balance_connections()

    def tell_admin(self) -> None:
        """Send the admin process what is known of all children."""
        states = {
            child.role.name: {"kind": child.role.kind, "turns": child.turns, "state": child.state} for child in self
        }
        message = json.dumps(states).encode()
        for child in self._all():
            if child.role.kind == ADMIN:
                child.send(message)

    def _balance_connections(self) -> None:
        """Have workers with many connections give some to those with few."""
        workers = [child for child in self if child.role.kind == WORKER and child.is_ready]
        given = self._balance.at_beat([worker.connections for worker in workers])
        for worker, surplus in zip(workers, given, strict=True):
            if surplus:
                worker.send(b"%s%d" % (SURPLUS, surplus))

    def _all(self) -> Iterable[Child]:
        return [*self._children.values(), *self._others]
