"""Run every script once at start, on scratch keys, under the production user.

A missing permission or a script that this server cannot run then fails at start and not in the middle of a bet,
after half of its writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from redis.exceptions import OutOfMemoryError, ResponseError

from seamless_wallet.commands import BACK_OFFICE, Command, Item, Kind, PlayerStatus, Policy
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import (
    ConfirmArgs,
    ConfirmItem,
    EvictArgs,
    EvictIdleArgs,
    ExpireRoundArgs,
    ForgetRoundArgs,
    GateArgs,
    InstallArgs,
    InstallEventsArgs,
    InstallRoundArgs,
    SuspendArgs,
    TakeOverArgs,
)
from seamless_wallet.engine.permissions import NUMBERS
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.scripts import Argument, load_scripts
from seamless_wallet.errors import WalletError
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.ports import Randomness
from seamless_wallet.wallet.prepared_event import PreparedEvent

EPOCH: Final = 1
NOW_MS: Final = 1_000_000_000_000
WINDOW_MS: Final = 60_000
POLL_S: Final = 0.02

_ROUND: Final = bytes(16)
_LOADED: Final = "loaded"
_CREATED: Final = "created"
_ATTEMPT: Final = "self.test"


class SelfTestFailed(WalletError):
    """A script does not work on this server. One line: which, and what the server said."""


async def wait_for_scripts(pipeline: Pipeline) -> None:
    """Wait until the writer has loaded what this process registered. Ends otherwise only by cancellation.

    Like `self_test`, it is for a pipeline whose server is not admitted yet.
    """
    shas = [script.sha for script in load_scripts().values()]
    while not all(await pipeline.send("SCRIPT", "EXISTS", *shas)):  # noqa: ASYNC110 - it is the server that changes
        await asyncio.sleep(POLL_S)


async def self_test(pipeline: Pipeline, randomness: Randomness) -> None:
    """Run all scripts on a shard that does not exist, on a server that evicts no keys.

    Raises SelfTestFailed; OutOfMemoryError if the server is full, or RedisUnavailable: then try again later.
    """
    if b"maxmemory_policy:noeviction" not in await pipeline.send("INFO", "memory"):
        raise SelfTestFailed("this Redis may evict keys, and with them bets: set its maxmemory-policy to noeviction")
    shard = -1 - randomness.below(NUMBERS)
    used: dict[str, None] = {}
    try:
        for name, names, argv, expected in _steps(shard):
            used.update(dict.fromkeys(names))
            script = load_scripts()[name]
            try:
                reply: list[Any] = await pipeline.send(*script.command(names, argv))
            except OutOfMemoryError:
                raise  # the server is full, which says nothing about the script
            except ResponseError as error:
                raise SelfTestFailed(f"script {name} failed on this Redis: {error}") from None
            words = reply[0] if script.contract.for_each else reply
            if [word.decode() for word in words[: len(expected)]] != list(expected):
                raise SelfTestFailed(f"script {name} answered {reply!r} on this Redis, not {' '.join(expected)}")
    finally:
        if used:
            await pipeline.send("UNLINK", *used)


Step = tuple[str, Sequence[str], Sequence[Argument], Sequence[str]]
"""Script, KEYS, ARGV, the first words of the reply that is due."""


def _steps(shard: int) -> Iterator[Step]:
    head, stream, loaded = keys.head(shard), keys.stream(shard, EPOCH), keys.wallet(shard, EPOCH, _LOADED)
    events, round_ = keys.events(shard, EPOCH, _LOADED, 0), keys.round_(shard, EPOCH, _ROUND)
    yield "gate", (head, stream), GateArgs(EPOCH, 0, "self-test", "1", "", "self.0"), ("OK",)
    yield "take_over", (head,), TakeOverArgs(EPOCH, "2", "1"), ("OK",)
    yield (
        "install_events",
        (head, loaded, events),
        (*InstallEventsArgs(EPOCH, 0, 0, WINDOW_MS), bytes(16), bytes(16) + b"R01"),
        ("OK",),
    )
    yield "install_round", (head, loaded, round_), (*InstallRoundArgs(EPOCH, 0, 0, WINDOW_MS, 1), "1", "O 1"), ("OK",)
    yield "install", (head, loaded), (*InstallArgs(EPOCH, 0, 0), "version", 1, "seq", 0), ("OK",)
    policy = Policy()
    for command, balance in _commands():
        event = PreparedEvent(command, policy, shard)
        arguments = event.arguments(
            epoch=EPOCH, period=0, token=_ATTEMPT, pending_max=100, window_ms=WINDOW_MS, lookup=None
        )
        yield (
            event.script.name,
            event.keys(EPOCH, 0),
            tuple(arguments),
            ("DONE", "R0", command.kind, "KRW", str(balance)),
        )
    yield "expire_round", (head, round_), ExpireRoundArgs(EPOCH, "2", WINDOW_MS), ("OK",)
    yield "evict_idle", (head, loaded), EvictIdleArgs(EPOCH, "2", 0), ("OK",)
    yield "suspend", (head, loaded), SuspendArgs(EPOCH, "2", "self-test", _ROUND, 0), ("OK",)
    yield "forget_round", (head, loaded, round_), ForgetRoundArgs(EPOCH, "2"), ("OK",)
    before = keys.events(shard, EPOCH, _LOADED, -1)
    yield "evict", (head, loaded, events, before), EvictArgs(EPOCH, "2", 1), ("OK",)
    confirm = ConfirmArgs(0, WINDOW_MS, "2", keys.committed_channel("self-test"))
    yield "confirm", (head, stream), (*confirm, *ConfirmItem(shard, EPOCH, 1, _ATTEMPT)), ("OK",)


def _commands() -> Iterator[tuple[Command, int]]:
    """A short life of a player, so that every event script has an effect, with the balance after each event.

    The largest amount comes first: a Lua that cannot print it to the last digit is found here.
    """
    numbers = iter(range(1, 100))

    def command(kind: Kind, provider: str = "self-test", **fields: Any) -> Command:
        number = next(numbers)
        return Command(
            kind=kind,
            provider=provider,
            user_id=_CREATED,
            transaction_id=str(number),
            timestamp_ms=NOW_MS + number,
            received_ms=NOW_MS + number,
            **fields,
        )

    def bets(kind: Kind, *items: Item) -> Command:
        return command(kind, currency="KRW", game_no="1", items=items)

    yield command(Kind.CREATE, BACK_OFFICE, currency="KRW"), 0
    yield command(Kind.DEPOSIT, BACK_OFFICE, amount=AMOUNT_MAX), AMOUNT_MAX
    yield command(Kind.WITHDRAW, BACK_OFFICE, amount=AMOUNT_MAX - 10), 10
    yield command(Kind.LOGIN), 10
    yield bets(Kind.BET, Item("1", "P", 5), Item("2", "T", 5)), 0
    yield bets(Kind.CANCEL, Item("2", "T", 5)), 5
    yield bets(Kind.RESULT, Item("1", "P", 5, 5)), 15
    yield bets(Kind.CHANGE, Item("1", "P", 5, -5, 5)), 5
    yield command(Kind.LOGOUT), 5
    yield command(Kind.STATUS, BACK_OFFICE, status=PlayerStatus.ACTIVE), 5
