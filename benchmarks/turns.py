"""One turn: one load on one system, measured. Systems take turns, so that the machine's moods strike them alike."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.figures import Names, Turn
from benchmarks.generator import Answered, closed_loop, open_loop, paired_loop
from benchmarks.latencies import Latencies
from benchmarks.play import Event, Sequences
from benchmarks.processes import MachineTime, cpu_of, used_between
from benchmarks.systems import System


async def closed_turn(load: str, system: System, sequences: Sequences, in_flight: int) -> Turn:
    """As many a second as it takes from so many clients. Raises WrongAnswer."""
    begin = _Begin(system)
    answered = await closed_loop(system.port, sequences, in_flight)
    return begin.end(load, answered)


async def paired_turns(
    load: str, systems: Sequence[System], sequences: Sequence[Sequence[Event]], in_flight: int
) -> list[Turn]:
    """All systems at the same time and at the same rate, as `paired_loop` says. Raises WrongAnswer."""
    begins = [_Begin(system) for system in systems]
    answered = await paired_loop([system.port for system in systems], sequences, in_flight)
    return [begin.end(load, each) for begin, each in zip(begins, answered, strict=True)]


async def open_turn(load: str, system: System, events: Sequence[Event], rate: float, seed: int) -> Turn:
    """So many a second, whatever becomes of them. Raises WrongAnswer."""
    begin = _Begin(system)
    answered = await open_loop(system.port, events, rate, seed)
    return begin.end(load, answered, rate)


class _Begin:
    """What the clocks said before."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._cpu, self._machine, self._own_s = cpu_of(system.roots), MachineTime.now(), time.process_time()

    def end(self, load: str, answered: Answered, offered: float = 0.0) -> Turn:
        """The turn, its answers checked."""
        own_s = time.process_time() - self._own_s
        machine = MachineTime.now()
        spent = used_between(self._cpu, cpu_of(self._system.roots))
        count = len(answered.answers)
        if self._system.name != Names.EMPTY:
            self._system.books.enter(answered.answers)
        return Turn(
            load=load,
            system=self._system.name,
            requests=count,
            seconds=answered.seconds,
            cpu_us={role: seconds / count * 1e6 for role, seconds in spent.items()},
            generator_us=own_s / count * 1e6,
            steal=machine.steal_share(self._machine),
            others=machine.others_share(self._machine, own_s + sum(spent.values())),
            latencies=Latencies.of_ns(answered.taken_ns).encode(),
            offered=offered,
            late_p99_ms=Latencies.of_ns(answered.late_ns).ms(99) if answered.late_ns else 0.0,
        )
