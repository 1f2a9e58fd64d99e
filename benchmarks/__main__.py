"""Run every benchmark, one after the other: what `make bench` does.

Each alone takes options: `python -m benchmarks.worker_cpu --help`, and so on.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import commit_latency, ledger_backup, ledger_verify, lua_cpu, pipeline_cpu, worker_cpu

BENCHMARKS = {
    "worker_cpu": worker_cpu.main,
    "pipeline_cpu": pipeline_cpu.main,
    "lua_cpu": lua_cpu.main,
    "ledger_backup": ledger_backup.main,
    "ledger_verify": ledger_verify.main,
    "commit_latency": commit_latency.main,
}


def main(argv: list[str] | None = None) -> int:
    """Run them all with their defaults. Returns 0, or the first other status."""
    argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"benchmarks: {', '.join(BENCHMARKS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(argv)
    for name, run in BENCHMARKS.items():
        print(f"\n== {name}", flush=True)
        status = run([])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
