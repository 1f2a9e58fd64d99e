"""The ceiling: our scripts through one bare pipelined socket. No HTTP, no cipher, no writer, nothing durable."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.figures import Names, Turn
from benchmarks.latencies import Latencies
from benchmarks.lua_cpu import PLAYERS, Game, Server
from benchmarks.processes import MachineTime
from seamless_wallet.commands import Kind
from seamless_wallet.engine.scripts import load_scripts
from tests.valkey_server import start_valkey


class BareScripts:
    """A Valkey of its own, with players who are logged in and have money."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._game = Game(server, load_scripts())
        self._bets = 0

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[BareScripts]:
        """A server that is ready."""
        with (
            tempfile.TemporaryDirectory(prefix="wallet-bench-") as path,
            start_valkey(Path(path)) as valkey,
            closing(Server(valkey)) as server,
        ):
            yield cls(server)

    def turn(self, load: str, bets: int) -> Turn:
        """Bets as fast as Valkey decides them. Raises RuntimeError unless each is R0."""
        numbers = range(self._bets + 1, self._bets + bets + 1)
        self._bets += bets
        commands = [self._game.command(Kind.BET, f"player-{number % PLAYERS}", number) for number in numbers]
        machine, own_s, began_s = MachineTime.now(), time.process_time(), time.perf_counter()
        cpu_us = self._game.play(commands)
        seconds = time.perf_counter() - began_s
        now, own_s = MachineTime.now(), time.process_time() - own_s
        turn = Turn(
            load=load,
            system=Names.BARE,
            requests=bets,
            seconds=seconds,
            cpu_us={"valkey": cpu_us},
            generator_us=own_s / bets * 1e6,
            steal=now.steal_share(machine),
            others=now.others_share(machine, own_s + cpu_us * bets / 1e6),
            latencies=Latencies().encode(),
        )
        self._game.confirm()
        return turn
