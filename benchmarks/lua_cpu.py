"""CPU that Valkey spends on one event: the scripts as they are, beside others of the same names.

    python -m benchmarks.lua_cpu [--script bet] [--against DIR] [--events 20000] [--rounds 7]

`--against` is another `lua/` directory whose scripts take the same keys and arguments, such as that of an earlier
commit: `git worktree add /tmp/before REV`, then `--against /tmp/before/lua`. Both play the same events in turn, round
by round, on one private Valkey, and their medians are compared. What the arguments alone cost is measured beside them:
a script that gets the keys and arguments of a bet and returns at once.

An event has one item: a new bet of a player who is logged in, its cancel, or its result. Only Valkey's CPU counts, user
and system. Events are sent in batches over one bare connection, so that reading and writing cost little.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import hiredis

from seamless_wallet.commands import BACK_OFFICE, Command, Item, Kind, Policy
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import GateArgs
from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.scripts import Script, lua_directory, read_scripts
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.valkey_server import Valkey, start_valkey

SHARD: Final = 3
EPOCH: Final = 1
PLAYERS: Final = 1_000
NOW_MS: Final = 1_700_000_000_000
WINDOW_MS: Final = 3_600_000
BATCH: Final = 64
ATTEMPT: Final = "0123456789abcdef.1f"
NONCE: Final = "0123456789abcdef0123456789abcdef"
NOTHING: Final = "return {'DONE'}"

KINDS: Final = {"bet": Kind.BET, "cancel": Kind.CANCEL, "result": Kind.RESULT}


class Server:
    """One Valkey, one connection, commands in batches."""

    def __init__(self, valkey: Valkey) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(valkey.socket_path))
        self._reader = hiredis.Reader()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def call(self, *command: bytes | str | int) -> object:
        """One command and its reply."""
        return self.play([packed(*command)])[0]

    def cpu_us(self) -> float:
        """User and system microseconds that the server has used, all threads."""
        info = self.call("INFO", "cpu")
        lines = dict(line.split(":") for line in info.decode().splitlines() if ":" in line)  # type: ignore[attr-defined]  # bytes
        return (float(lines["used_cpu_user"]) + float(lines["used_cpu_sys"])) * 1e6

    def play(self, commands: Sequence[bytes]) -> list[object]:
        """All commands, a batch at a time; their replies. Raises the first error."""
        replies: list[object] = []
        for at in range(0, len(commands), BATCH):
            self._socket.sendall(b"".join(commands[at : at + BATCH]))
            due = len(replies) + len(commands[at : at + BATCH])
            while len(replies) < due:
                self._reader.feed(self._socket.recv(1 << 20))
                while (reply := self._reader.gets()) is not False:
                    if isinstance(reply, hiredis.ReplyError):
                        raise reply
                    replies.append(reply)
        return replies


class Game:
    """Players who are logged in and have money, and events of theirs as commands."""

    def __init__(self, server: Server, scripts: dict[str, Script]) -> None:
        self.server = server
        self._scripts = scripts
        self._numbers = count(1)
        for script in scripts.values():
            server.call("SCRIPT", "LOAD", script.text)
        head, stream = keys.head(SHARD), keys.stream(SHARD, EPOCH)
        self._do("gate", (head, stream), GateArgs(EPOCH, 0, "benchmark", NONCE, "", "gate"))
        users = [f"player-{number}" for number in range(PLAYERS)]
        self.play(self.command(Kind.CREATE, user, currency="KRW") for user in users)
        self.play(self.command(Kind.DEPOSIT, user, amount=10**12) for user in users)
        self.play(self.command(Kind.LOGIN, user) for user in users)

    def command(self, kind: Kind, user: str, number: int = 0, **fields: object) -> bytes:
        """One event as it goes on the wire to Redis. A bet's number names its round."""
        office = kind in {Kind.CREATE, Kind.DEPOSIT}
        items: tuple[Item, ...] = ()
        if number:
            items = (Item("1", "player", 3_000, 2_850 if kind is Kind.RESULT else 0),)
            fields = {"currency": "KRW", "game_no": f"game-{number}", "items": items, "context": CONTEXT}
        event = PreparedEvent(
            Command(
                kind=kind,
                provider=BACK_OFFICE if office else "dowinn",
                user_id=user,
                transaction_id=f"2_agent_1700000000000_{next(self._numbers)}",
                timestamp_ms=NOW_MS,
                received_ms=NOW_MS,
                **fields,  # type: ignore[arg-type]  # of a command
            ),
            Policy(),
            SHARD,
        )
        arguments = event.arguments(
            epoch=EPOCH, period=0, token=ATTEMPT, pending_max=10**9, window_ms=WINDOW_MS, lookup=None
        )
        script = self._scripts[event.script.name]
        return packed(*script.command(event.keys(EPOCH, 0), arguments))

    def play(self, commands: Iterable[bytes]) -> float:
        """Play events, each of which must be decided R0. Microseconds of the server's CPU for each."""
        sent = list(commands)
        before_us = self.server.cpu_us()
        replies = self.server.play(sent)
        used_us = (self.server.cpu_us() - before_us) / len(sent)
        for reply in replies:
            if not isinstance(reply, list) or reply[0] != b"DONE":
                raise RuntimeError(f"not R0: {reply!r}")
        return used_us

    def confirm(self) -> None:
        """What the script of that name does, of whatever version: so no round works on a longer stream."""
        head = keys.head(SHARD)
        seq = self.server.call("HGET", head, "seq")
        self.server.call("HSET", head, "committed", seq)  # type: ignore[arg-type]  # a number, too
        self.server.call("XTRIM", keys.stream(SHARD, EPOCH), "MAXLEN", 0)

    def _do(self, name: str, names: Sequence[str], args: Sequence[int | str]) -> None:
        reply = self.server.call(*self._scripts[name].command(names, args))
        if not isinstance(reply, list) or reply[0] != b"OK":
            raise RuntimeError(f"{name} answered {reply!r}")


CONTEXT: Final = {"feedback_data": "benchmark", "game_type": "baccarat", "table_no": "7"}


def measure(server: Server, scripts: dict[str, Script], kind: Kind, events: int, run: int) -> float:
    """Microseconds of CPU for an event of this kind, in a database of its own that is emptied before."""
    server.call("FLUSHALL")
    server.call("SCRIPT", "FLUSH")
    game = Game(server, scripts)
    numbers = [run * events + number for number in range(1, events + 1)]
    users = [f"player-{number % PLAYERS}" for number in numbers]
    if kind is not Kind.BET:
        game.play(game.command(Kind.BET, user, number) for user, number in zip(users, numbers, strict=True))
    game.confirm()
    return game.play([game.command(kind, user, number) for user, number in zip(users, numbers, strict=True)])


def measure_nothing(server: Server, scripts: dict[str, Script], events: int) -> float:
    """The same for a script that looks at none of a bet's keys and arguments."""
    sha = server.call("SCRIPT", "LOAD", NOTHING)
    nothing = Script("bet", NOTHING, sha.decode(), scripts["bet"].contract)  # type: ignore[attr-defined]  # bytes
    game = Game(server, scripts)
    game._scripts = {**scripts, "bet": nothing}  # noqa: SLF001 - the same game, without its rules
    return game.play([game.command(Kind.BET, f"player-{n % PLAYERS}", n) for n in range(1, events + 1)])


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit: the exit status is 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", choices=KINDS, default="bet")
    parser.add_argument("--against", type=Path, help="another lua/ directory")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(argv)
    sides = {"here": read_scripts(lua_directory())}
    if given.against:
        sides["against"] = read_scripts(given.against)
    samples: dict[str, list[float]] = {"arguments alone": [], **{name: [] for name in sides}}
    print(f"{given.script}: µs of Valkey's CPU an event, {given.events} events a round, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory, start_valkey(Path(directory)) as valkey:
        server = Server(valkey)
        for number in range(given.rounds):
            server.call("FLUSHALL")
            samples["arguments alone"].append(measure_nothing(server, sides["here"], given.events))
            for name, scripts in sides.items():
                samples[name].append(measure(server, scripts, KINDS[given.script], given.events, number))
            print(f"round {number + 1}: " + ", ".join(f"{name} {used[-1]:.1f}" for name, used in samples.items()))
    medians = {name: statistics.median(used) for name, used in samples.items()}
    print("median:  " + ", ".join(f"{name} {used:.1f}" for name, used in medians.items()))
    if given.against:
        ratios = [ours / theirs for ours, theirs in zip(samples["here"], samples["against"], strict=True)]
        print(f"ratio here / against, median of pairs: {statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
