"""The writer's two connections to Redis."""

from __future__ import annotations

from typing import NamedTuple

from seamless_wallet.engine.pipeline import Pipeline


class Pipelines(NamedTuple):
    """One for commands, and one for the reads of streams: a read that waits for entries holds its connection up."""

    commands: Pipeline
    reads: Pipeline

    async def usable(self) -> None:
        """Wait until both are connected to an admitted server."""
        await self.commands.usable.wait()
        await self.reads.usable.wait()

    def drop(self) -> None:
        """Leave both connections, and connect anew."""
        self.commands.drop()
        self.reads.drop()
