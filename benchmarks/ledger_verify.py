"""What `wallet verify` costs: entries a second of CPU, and the memory it takes, beside an earlier version.

    python -m benchmarks.ledger_verify [--against DIR] [--entries 300000] [--players 10000] [--rounds 3]

`--against` is a checkout of another version that has `seamless_wallet.stores.sqlite.verification`. Each fills a ledger
with the same events, and verifies it in a new process, in turn, round by round. With `--players 1` one player has all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.ledger_cpu import HERE, Version


def verify_once(path: Path) -> dict[str, float]:
    """Verify with the program that the path leads to."""
    from seamless_wallet.stores.sqlite.database import connect  # noqa: PLC0415 - that of the version under test
    from seamless_wallet.stores.sqlite.verification import verify  # noqa: PLC0415

    connection = connect(path, write=False)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.process_time()
    findings = list(verify(connection, path, lambda _done, _total: None))
    cpu_s = time.process_time() - began_s
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    return {"findings": len(findings), "cpu_s": cpu_s, "memory_mb": memory_kb / 1024}


def measure(checkout: Path, path: Path) -> dict[str, float]:
    """The same in a process of a version."""
    environment = os.environ | {"PYTHONPATH": f"{checkout / 'service'}{os.pathsep}{HERE}"}
    command = [sys.executable, "-m", "benchmarks.ledger_verify", "--verify", str(path)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=HERE)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 1 if a sound ledger has findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    parser.add_argument("--entries", type=int, default=300_000)
    parser.add_argument("--players", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verify", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.verify:
        print(json.dumps(verify_once(options.verify)))
        return 0
    checkouts = {"now": HERE} | ({"before": options.against.resolve()} if options.against else {})
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory:
        filled = {name: _filled(name, checkout, Path(directory), options) for name, checkout in checkouts.items()}
        rounds: Final[list[dict[str, dict[str, Any]]]] = []
        for _ in range(options.rounds):
            rounds.append({name: measure(checkouts[name], Path(directory, f"{name}.db")) for name in checkouts})
    for name, entries in filled.items():
        cpu_s = statistics.median(measured[name]["cpu_s"] for measured in rounds)
        memory_mb = max(measured[name]["memory_mb"] for measured in rounds)
        print(
            f"{name}: {entries / cpu_s:,.0f} entries/s of CPU, {memory_mb:.0f} MB more than before; {entries} entries"
        )
    if options.against:
        ratio = statistics.median(measured["now"]["cpu_s"] / measured["before"]["cpu_s"] for measured in rounds)
        print(f"CPU {ratio:.2f} of before")
    return int(any(measured["now"]["findings"] for measured in rounds))


def _filled(name: str, checkout: Path, directory: Path, options: argparse.Namespace) -> int:
    """Fill a ledger; how many entries it has."""
    version = Version(name, checkout, directory / f"{name}.db")
    try:
        version.ask(entries=options.entries, players=options.players)
        return int(version.answer()["entries"])
    finally:
        version.close()


if __name__ == "__main__":
    sys.exit(main())
