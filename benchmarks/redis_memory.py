"""What players cost Redis, and what it gets back when they are idle.

    python -m benchmarks.redis_memory [--players 200000] [--playing 10000] [--events 10]

Players are installed by the scripts that load them from SQL, each with one session, and every tenth with a round of one
open bet. Those who play have remembered events as well. Then the writer's sweep runs beside a timer that stands for its
cycle, once over wallets that are all in use and once when all but those who play are idle. It tells memory, time, and
CPU of Valkey and of the writer. Rounds get a time to live of a second, so that their memory comes back meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.lua_cpu import NONCE, NOW_MS, WINDOW_MS, Server
from seamless_wallet.commands import digest, shard_of
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import GateArgs, InstallArgs, InstallEventsArgs, InstallRoundArgs
from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.fold import Session, Wallet
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.processes.system_ports import SystemClock
from seamless_wallet.wallet.loader import wallet_fields
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.idle_wallets import IdleWallets
from seamless_wallet.writer.shard_states import ShardStates
from tests.valkey_server import start_valkey

SHARDS: Final = 16
EPOCH: Final = 1
IDLE_SEQ: Final = 10
"""Of the last entry of a player who is idle; those who play have newer ones."""

EVENTS: Final = 10
"""Remembered events of each player who plays."""

CHUNK: Final = 10_000
TICK_S: Final = 0.005
"""Of the timer that stands for the writer's cycle."""


def user_of(number: int) -> str:
    """A player's user_id."""
    return f"player-{number:07}"


def wallet(number: int, seq: int) -> bytes:
    """The command that installs a wallet."""
    user = user_of(number)
    shard = shard_of(user, SHARDS)
    session = Session(NOW_MS, NOW_MS)
    state = Wallet(user, "KRW", "active", 7, seq, 1_000_000 + number, 0, {"dowinn": session})
    fields = [word for pair in wallet_fields(state) for word in pair]
    names = (keys.head(shard), keys.wallet(shard, EPOCH, user))
    return _packed("install", names, (*InstallArgs(EPOCH, 0, IDLE_SEQ + 1), *fields))


def round_(number: int) -> bytes:
    """The command that installs a round of one open bet."""
    user = user_of(number)
    shard = shard_of(user, SHARDS)
    names = (
        keys.head(shard),
        keys.wallet(shard, EPOCH, user),
        keys.round_(shard, EPOCH, digest("dowinn", user, f"game-{number}")),
    )
    return _packed("install_round", names, (*InstallRoundArgs(EPOCH, 0, IDLE_SEQ + 1, WINDOW_MS, 1), "1", "O 3000"))


def events(number: int, count: int) -> bytes:
    """The command that installs remembered events."""
    user = user_of(number)
    shard = shard_of(user, SHARDS)
    names = (keys.head(shard), keys.wallet(shard, EPOCH, user), keys.events(shard, EPOCH, user, 0))
    records = [word for n in range(count) for word in (digest(user, str(n)), digest(str(n)) + b"R0123456")]
    return _packed("install_events", names, (*InstallEventsArgs(EPOCH, 0, IDLE_SEQ + 1, WINDOW_MS), *records))


def _packed(name: str, names: tuple[str, ...], args: tuple[bytes | str | int, ...]) -> bytes:
    return packed(*load_scripts()[name].command(names, args))


def memory(server: Server) -> tuple[int, int]:
    """Bytes that Valkey has in use, and those that it has of the system."""
    lines = dict(line.split(":") for line in server.call("INFO", "memory").decode().splitlines() if ":" in line)  # type: ignore[attr-defined]  # bytes
    return int(lines["used_memory"]), int(lines["used_memory_rss"])


def install(server: Server, what: str, count: int, of_each: int, commands: Iterator[bytes]) -> float:
    """Send them all and tell what one costs, in bytes."""
    before, _ = memory(server)
    while chunk := list(islice(commands, CHUNK)):
        if any(reply != [b"OK"] for reply in server.play(chunk)):
            raise RuntimeError(f"{what} was refused")
    after, _ = memory(server)
    return (after - before) / max(1, count * of_each)


async def sweep(server: Server, url: str, seqs: list[int]) -> None:
    """One sweep, and what it costs."""
    shard_states = ShardStates()
    shard_states.nonce = NONCE
    shard_states.adopt([ShardHead(EPOCH, IDLE_SEQ + 1, "", "", NONCE)] * SHARDS)
    pipeline = Pipeline(UrlAddress(url), deadline_ms=2_000, in_flight_max=100_000)
    running = asyncio.create_task(pipeline.run())
    await pipeline.usable.wait()
    idle = IdleWallets(pipeline, shard_states, ChecksDue(), SystemClock(), idle_ms=1_000)
    late: list[float] = []
    ticking = asyncio.create_task(_tick(late))
    began_s, cpu_us, own_s = time.monotonic(), server.cpu_us(), time.process_time()
    await idle.sweep(seqs)
    took_s, cpu_us, own_s = time.monotonic() - began_s, server.cpu_us() - cpu_us, time.process_time() - own_s
    ticking.cancel()
    running.cancel()
    await asyncio.gather(ticking, running, return_exceptions=True)
    late.sort()
    print(
        f"  {took_s:.1f} s; CPU of Valkey {cpu_us / 1e6:.1f} s, of the writer {own_s:.1f} s; its cycle is late by "
        f"{1000 * late[len(late) // 2]:.1f} ms at the median, {1000 * late[len(late) * 99 // 100]:.1f} at 99 %"
    )


async def _tick(late: list[float]) -> None:
    """Note by how much this loop is late."""
    while True:
        due_s = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        late.append(time.monotonic() - due_s)


def tell_memory(server: Server, when: str, empty: int) -> None:
    """What Valkey holds beyond what an empty one does."""
    used, resident = memory(server)
    print(f"{when}: {(used - empty) / 2**20:.0f} MiB in use, {resident / 2**20:.0f} MiB resident")


def install_all(server: Server, players: int, playing: int, per_player: int) -> dict[str, float]:
    """Install all players. Bytes of each event, round and player."""
    for script in load_scripts().values():
        server.call("SCRIPT", "LOAD", script.text)
    for shard in range(SHARDS):
        gate = GateArgs(EPOCH, IDLE_SEQ + 1, "benchmark", NONCE, "", "gate")
        server.play([_packed("gate", (keys.head(shard), keys.stream(shard, EPOCH)), gate)])
    rounds, wallets = range(0, players, 10), range(players)
    return {
        "event": install(server, "events", playing, per_player, (events(n, per_player) for n in range(playing))),
        "round": install(server, "rounds", len(rounds), 1, (round_(n) for n in rounds)),
        "player": install(server, "wallets", players, 1, (wallet(n, IDLE_SEQ + (n < playing)) for n in wallets)),
    }


def bytes_each(players: int) -> dict[str, float]:
    """Bytes of Redis that an event, a round and a player take, on a server of its own. Every tenth player plays."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory, start_valkey(Path(directory)) as valkey:
        return install_all(Server(valkey), players, players // 10, EVENTS)


def play(server: Server, url: str, players: int, playing: int, per_player: int) -> None:
    """Install all players, let the idle ones go."""
    empty, _ = memory(server)
    for what, size in install_all(server, players, playing, per_player).items():
        print(f"{what}: {size:.0f} bytes each", flush=True)
    tell_memory(server, "all players", empty)
    sweep_in: Callable[[int], None] = lambda seq: asyncio.run(sweep(server, url, [seq] * SHARDS))  # noqa: E731
    print("a sweep that finds none idle:")
    sweep_in(IDLE_SEQ - 1)
    print(f"a sweep that lets {players - playing} go:")
    sweep_in(IDLE_SEQ)
    time.sleep(2)
    server.call("PING")
    tell_memory(server, f"{playing} who play", empty)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit: the exit status is 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, default=200_000)
    parser.add_argument("--playing", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=EVENTS, help="remembered events of each who plays")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory, start_valkey(Path(directory)) as valkey:
        print(f"{given.players} players, of whom {given.playing} play; {SHARDS} shards")
        play(Server(valkey), valkey.url, given.players, given.playing, given.events)
    return 0


if __name__ == "__main__":
    sys.exit(main())
