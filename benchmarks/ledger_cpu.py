"""What a commit costs: CPU and bytes of the log an entry, bytes of the file an event, beside an earlier version.

    python -m benchmarks.ledger_cpu [--against DIR] [--entries 1000000] [--players 20000] [--rounds 20]

`--against` is a checkout of another version, the first one for instance: `git worktree add /tmp/first 626a578`, then
`--against /tmp/first`. Both fill a ledger with the same events, then commit the same further ones in turn, round by
round, in batches of 25 and of 100 entries, and their medians are compared. CPU is that of the thread that commits: rows
are built, proven and written in it, and it moves the log into the file as that fills. Bets and results of one item
each, players at random, 16 shards.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parents[1]
BATCHES: Final = (25, 100)
ENTRIES_A_ROUND: Final = 1_000


class Version:
    """One version of the program in a process of its own."""

    def __init__(self, name: str, checkout: Path, ledger: Path) -> None:
        self.name = name
        self.measured: dict[int, list[dict[str, float]]] = {size: [] for size in BATCHES}
        environment = os.environ | {"PYTHONPATH": f"{checkout / 'service'}{os.pathsep}{checkout}"}
        self._process = subprocess.Popen(  # -P: the first version's package `service` is not the module beside us
            [sys.executable, "-P", str(HERE / "benchmarks" / "ledger_commits.py"), str(ledger)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def ask(self, **request: int) -> None:
        """Have it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """What came of it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: the process ended")
        answered: dict[str, Any] = json.loads(line)
        return answered

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def median(self, size: int, what: str) -> float:
        """The median of the rounds."""
        return statistics.median(measured[what] for measured in self.measured[size])


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--players", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory:
        versions = [Version("now", HERE, Path(directory, "now.db"))]
        if options.against:
            versions.append(Version("before", options.against.resolve(), Path(directory, "before.db")))
        try:
            _measure(versions, options)
        finally:
            for version in versions:
                version.close()
    return 0


def _measure(versions: list[Version], options: argparse.Namespace) -> None:
    for version in versions:
        version.ask(entries=options.entries, players=options.players)
    filled = {version.name: version.answer() for version in versions}
    for _ in range(options.rounds):
        for size in BATCHES:
            for version in versions:
                version.ask(commits=ENTRIES_A_ROUND // size, size=size)
                version.measured[size].append(version.answer())
    _print(versions, filled)


def _print(versions: list[Version], filled: dict[str, dict[str, Any]]) -> None:
    for version in versions:
        print(
            f"{version.name}: {filled[version.name]['entries']} entries, {filled[version.name]['file']:.0f} B an entry"
        )
        for size in BATCHES:
            cpu, log = version.median(size, "cpu_us"), version.median(size, "log_bytes")
            print(f"  batches of {size}: {cpu:.1f} µs an entry, {log / 1000:.1f} kB of log an entry")
    if len(versions) > 1:
        now, before = versions
        for size in BATCHES:
            cpu, log = (ratio(now, before, size, what) for what in ("cpu_us", "log_bytes"))
            print(f"batches of {size}: CPU {cpu:.2f}, log {log:.2f} of before")


def ratio(now: Version, before: Version, size: int, what: str) -> float:
    """The median of the rounds' ratios: what the machine does beside it changes from round to round."""
    rounds = zip(now.measured[size], before.measured[size], strict=True)
    return statistics.median(ours[what] / theirs[what] for ours, theirs in rounds)


if __name__ == "__main__":
    sys.exit(main())
