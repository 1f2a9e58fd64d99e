"""What processes cost: CPU of a whole tree by what each process is, memory, and what the machine was denied."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

_ROLES: Final = (
    (re.compile(r"^postgres: .*\[local\]"), "backends"),
    (re.compile(r"^postgres: (?:io worker|[a-z ]+)"), "postgres others"),
    (re.compile(r"/postgres "), "postgres others"),
    (re.compile(r"valkey-server|redis-server"), "valkey"),
    (re.compile(r"-m seamless_wallet serve"), "worker"),
    (re.compile(r"-m seamless_wallet write"), "writer"),
    (re.compile(r"-m seamless_wallet admin"), "admin"),
    (re.compile(r"-m seamless_wallet up"), "supervisor"),
    (re.compile(r"-m benchmarks\.peers\."), "worker"),
)


def role_of(command_line: str) -> str:
    """What a process is to the system that it belongs to."""
    return next((role for pattern, role in _ROLES if pattern.search(command_line)), "others")


class Used(NamedTuple):
    """CPU seconds that one process has used so far."""

    role: str
    seconds: float


def tree_of(roots: Iterable[int]) -> list[int]:
    """The pids of these processes and of all that descend from them."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children[pid]
    return found


def cpu_of(roots: Iterable[int]) -> dict[int, Used]:
    """User and system time of each process of these trees, all threads, by pid."""
    used = {}
    for pid in tree_of(roots):
        fields = _stat(pid)
        if fields:
            seconds = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
            used[pid] = Used(role_of(_command_line(pid)), seconds)
    return used


def used_between(before: dict[int, Used], after: dict[int, Used]) -> dict[str, float]:
    """CPU seconds by role. What ended in between is not counted, what began is counted whole."""
    spent: dict[str, float] = defaultdict(float)
    for pid, now in after.items():
        spent[now.role] += now.seconds - (before[pid].seconds if pid in before else 0.0)
    return spent


def resident_bytes(pid: int) -> int:
    """Memory that a process has in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


class MachineTime(NamedTuple):
    """Ticks since boot, over all cores: all, those in which some process ran, those given to other machines."""

    total: int
    busy: int
    steal: int

    @classmethod
    def now(cls) -> MachineTime:
        """As of now."""
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        user, nice, system, idle, iowait, irq, softirq, steal = ticks[:8]
        busy = user + nice + system + irq + softirq
        return cls(busy + idle + iowait + steal, busy, steal)

    def steal_share(self, since: MachineTime) -> float:
        """Which part of the time in between the hypervisor gave to other machines."""
        return (self.steal - since.steal) / max(1, self.total - since.total)

    def others_share(self, since: MachineTime, own_s: float) -> float:
        """Which part of the time in between went to processes other than those that used `own_s`."""
        return max(0.0, (self.busy - since.busy - own_s * TICKS_PER_S) / max(1, self.total - since.total))


def _stat(pid: int) -> list[str]:
    """The fields after the name, or none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
