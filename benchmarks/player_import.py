"""How long `wallet player import` takes, with opening balances; then once more, when all of them are known.

    python -m benchmarks.player_import [--players 100000]

A complete service (`wallet up`) on this machine, the command beside it. The trial balance tells whether all came in.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.processes import cpu_of, used_between
from benchmarks.service import CURRENCY, Service, running, wait_until_ready

OPENING: Final = "10.00"
LIMIT_S: Final = 3600


def _import(service: Service, file: Path) -> tuple[float, str]:
    """Seconds, and the command's last line."""
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "seamless_wallet", "player", "import", str(file)],
        env=service.environ,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began_s, done.stdout.splitlines()[-1]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, default=100_000)
    players = parser.parse_args(argv).players
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as path:
        directory = Path(path)
        file = directory / "players.csv"
        lines = (f"player-{number},{CURRENCY},{OPENING}" for number in range(players))
        file.write_text("\n".join(["user_id,currency,balance", *lines]) + "\n")
        service = Service(directory)
        with running([sys.executable, "-m", "seamless_wallet", "up"], service.environ) as process:
            wait_until_ready(service)
            for _ in range(2):
                before = cpu_of([process.pid])
                took_s, told = _import(service, file)
                used = used_between(before, cpu_of([process.pid]))
                cpu = ", ".join(f"{role} {seconds:.1f}" for role, seconds in sorted(used.items()))
                print(f"{took_s:.1f} s, {players / took_s:.0f} players/s: {told} (CPU s: {cpu})", flush=True)
            sums = service.admin("GET", "/v1/trial-balance")["currencies"][CURRENCY]
            assert float(sums["player"]) == players * float(OPENING), sums
    return 0


if __name__ == "__main__":
    sys.exit(main())
