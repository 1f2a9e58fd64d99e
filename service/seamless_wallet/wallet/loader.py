"""Bring a wallet from SQL into Redis: idempotency first, then rounds, the wallet itself last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import Any, Final, TypeVar

from redis.exceptions import NoScriptError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import InstallArgs, InstallEventsArgs, InstallRoundArgs
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import WalletSnapshot
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.wallet.shard_epochs import ShardEpochs
from seamless_wallet.wallet.shared_calls import SharedCalls

T = TypeVar("T")

CHUNK: Final = 250
"""Events or bets installed by one script, so that none blocks the server for long."""

LOAD_LIMIT_S: Final = 10.0
"""How long a load may take. More than a usual deadline: the load of a large wallet is there for the next try."""

PERIODS_ASKED: Final = 2
"""For so long SQL is asked for what a load left out. Once two periods are over, all of that is too old to be hot."""

SUSPENDED_PAUSE_S: Final = 0.005
"""Before an event of a suspended wallet is tried again."""

MARGIN_MS: Final = 10 * 60 * 1000
"""How much longer than the hot window is loaded: clocks of workers differ."""


class WalletFrozen(WalletError):
    """Nothing is decided for this wallet for a while."""


class Loader:
    """Loads wallets, one at a time for each player."""

    def __init__(
        self, ledger: LedgerReader, pipeline: Pipeline, shards: ShardEpochs, clock: Clock, hot_window_ms: int
    ) -> None:
        self._ledger = ledger
        self._pipeline = pipeline
        self._shards = shards
        self._clock = clock
        self._hot_window_ms = hot_window_ms
        self._loads: SharedCalls[str, bool] = SharedCalls("load", LOAD_LIMIT_S)
        self._scripts = load_scripts()

    async def load(self, user_id: str) -> bool:
        """Load a player's wallet; False if there is no such player. The event runs again in either case.

        An install that is refused (other epoch, wallet there already) is simply dropped.
        """
        return await self._loads.join(user_id, partial(self._load, user_id))

    async def _load(self, user_id: str) -> bool:
        with metrics.PLAYER_LOAD_DURATION_SECONDS.time():
            return await self._load_now(user_id)

    async def wait_for_eviction(self, shard: int, user_id: str) -> None:
        """Ask the writer to carry on with a suspended wallet, and give it a moment. Raises RedisUnavailable."""
        await self._shards.ask_eviction(self._pipeline, shard, user_id)
        await asyncio.sleep(SUSPENDED_PAUSE_S)

    async def close(self) -> None:
        """End all loads."""
        await self._loads.close()

    async def _load_now(self, user_id: str) -> bool:
        shard = self._shards.of(user_id)
        since_ms = self._clock.now_ms() - self._hot_window_ms - MARGIN_MS
        snapshot = await self._ledger.load(shard, user_id, since_ms)
        if snapshot.wallet is None:
            metrics.PLAYER_LOADS.labels("unknown_player").inc()
            return False
        if snapshot.epoch != self._shards.epoch(shard):
            await self._shards.refresh()
            metrics.PLAYER_LOADS.labels("other_epoch").inc()
            return True
        try:
            outcome = await self._install(shard, snapshot, snapshot.wallet)
        except NoScriptError:
            await self._shards.ask_for_scripts(self._pipeline, shard)
            outcome = "no_script"
        metrics.PLAYER_LOADS.labels(outcome).inc()
        return True

    async def _install(self, shard: int, snapshot: WalletSnapshot, wallet: Wallet) -> str:
        """Install all parts, or as many as are taken. What became of it, for the metric."""
        for command in self._installation(shard, snapshot, wallet):
            outcome, *rest = await self._pipeline.execute(*command)
            if outcome.decode() == ReplyStatus.FENCED and int(rest[0] or 0) == snapshot.epoch:
                self._shards.learn_period(shard, int(rest[1]))
            if outcome.decode() in {ReplyStatus.SUSPENDED, ReplyStatus.FROZEN}:
                await self.wait_for_eviction(shard, wallet.user_id)
                if outcome.decode() == ReplyStatus.FROZEN:
                    metrics.PLAYER_LOADS.labels("frozen").inc()
                    raise WalletFrozen("SQL has refused entries of this wallet again and again")
            if outcome.decode() != ReplyStatus.OK:
                return "refused"
        return "installed"

    def _installation(self, shard: int, snapshot: WalletSnapshot, wallet: Wallet) -> Iterator[tuple[Any, ...]]:
        epoch, seq, period, window_ms = snapshot.epoch, snapshot.seq, self._shards.period(shard), self._hot_window_ms
        head = keys.head(shard)
        wallet_key = keys.wallet(shard, epoch, wallet.user_id)
        events_key = keys.events(shard, epoch, wallet.user_id, period)
        records = ((event.digest, event.fingerprint + b"R0%d" % event.seq) for event in snapshot.events)
        for part in _chunks(records):
            args = InstallEventsArgs(epoch, period, seq, window_ms)
            yield self._scripts["install_events"].command(
                (head, wallet_key, events_key), (*args, *chain.from_iterable(part))
            )
        for digest, bets in snapshot.rounds.items():
            round_args = InstallRoundArgs(epoch, period, seq, window_ms, _open_bets(bets))
            texts = ((index, bet.text()) for index, bet in bets.items())
            for bet_part in _chunks(texts):
                yield self._scripts["install_round"].command(
                    (head, wallet_key, keys.round_(shard, epoch, digest)),
                    (*round_args, *chain.from_iterable(bet_part)),
                )
        fields = dict(wallet_fields(wallet))
        if not snapshot.complete:
            fields["ask_until"] = period + PERIODS_ASKED
        yield self._scripts["install"].command(
            (head, wallet_key), (*InstallArgs(epoch, period, seq), *chain.from_iterable(fields.items()))
        )


def _chunks(values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    remaining = iter(values)
    while chunk := tuple(islice(remaining, CHUNK)):
        yield chunk


def _open_bets(bets: Mapping[str, Bet]) -> int:
    return sum(bet.state is BetState.OPEN for bet in bets.values())


def wallet_fields(wallet: Wallet) -> Iterator[tuple[str, str | int]]:
    """The wallet as Redis holds it."""
    yield "version", wallet.version
    yield "seq", wallet.seq
    yield "balance", wallet.balance
    yield "debt", wallet.debt
    yield "status", wallet.status
    yield "currency", wallet.currency
    for provider, session in wallet.sessions.items():
        yield f"s:{provider}", session.text()
