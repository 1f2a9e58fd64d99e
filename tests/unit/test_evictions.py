"""What Redis is told of wallets that have to go, if it could not be told at once."""

from __future__ import annotations

from typing import Any

from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.conflicts import Refusal, RefusalCause
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.evictions import Evictions
from seamless_wallet.writer.shard_states import ShardStates

EPOCH, NONCE = 7, "ours"


class Pipeline:
    """Notes what is sent. A head that is another writer's refuses all."""

    def __init__(self) -> None:
        self.cold: list[str] = []
        self.is_fenced = False

    async def execute(self, *command: Any) -> list[bytes]:
        _, sha, count, *rest = command
        assert sha == load_scripts()["suspend"].sha
        if self.is_fenced:
            return [b"FENCED", b"7"]
        self.cold.append(rest[int(count) :][2])
        return [b"OK", b"9"]


class Clock:
    """It stands still."""

    def now_ms(self) -> int:
        return 1_700_000_000_000

    def monotonic_s(self) -> float:
        return 1.0


def refusal(cause: RefusalCause, provider: str, seq: int) -> Refusal:
    """Of an entry of Ann."""
    return Refusal(0, seq, "ann", provider, cause, "it does not follow")


class Leaving:
    """Ann's wallet on its way out, of a writer that loses its head and gets it back."""

    def __init__(self) -> None:
        self.pipeline, states = Pipeline(), ShardStates()
        states.nonce = NONCE
        states.adopt([ShardHead(EPOCH, 1, "run", "repl", NONCE)])
        self._evictions = Evictions(self.pipeline, states, ChecksDue(), Clock())  # type: ignore[arg-type]

    async def refuse(self, cause: RefusalCause, provider: str, seq: int, *, is_fenced: bool) -> None:
        self.pipeline.is_fenced = is_fenced
        self._evictions.refuse([refusal(cause, provider, seq)], [])
        await self._evictions.suspend()


async def test_a_provider_is_still_cold_if_its_player_is_refused_for_another_cause_meanwhile():
    """Redis was not told of it yet, and SQL is asked first for its ids all the same"""
    leaving = Leaving()
    await leaving.refuse(RefusalCause.REUSED, "games", 2, is_fenced=True)
    await leaving.refuse(RefusalCause.CONTRADICTED, "slots", 3, is_fenced=False)
    assert leaving.pipeline.cold == ["games"]


async def test_two_providers_that_use_ids_again_are_both_cold():
    """For one player, before Redis was told of the first"""
    leaving = Leaving()
    await leaving.refuse(RefusalCause.REUSED, "games", 2, is_fenced=True)
    await leaving.refuse(RefusalCause.REUSED, "slots", 3, is_fenced=False)
    assert leaving.pipeline.cold == ["games", "slots"]


async def test_what_redis_was_told_is_not_told_again():
    """A later refusal makes no provider cold for longer"""
    leaving = Leaving()
    await leaving.refuse(RefusalCause.REUSED, "games", 2, is_fenced=False)
    await leaving.refuse(RefusalCause.CONTRADICTED, "games", 3, is_fenced=False)
    assert leaving.pipeline.cold == ["games", ""]
