"""CPU of a worker per committed bet, as a multiple of that of an empty aiohttp handler, in one run.

    python -m benchmarks.worker_cpu [--bets 6000] [--rounds 5] [--in-flight 64] [--players 200] [--poor]

A complete service (`wallet up`) and the yardstick run beside each other. Every client sends one request to each in
turn, so that both see the same rate, at the same time, on the same busy cores; the medians of the rounds are compared.
Every answer is checked: an R1 would be cheap. With --poor nobody has money, and every bet is declined with R4.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.load import Sample, Target, drive, post
from seamless_wallet.commands import Command, Item, Kind
from seamless_wallet.providers import Provider, build_provider

KEY: Final = "benchmark-key-of-exactly-32-byte"
TOKEN: Final = "token-of-a-benchmark"  # noqa: S105 - of a service that lives as long as the benchmark
LIMIT: Final = 2.5
START_LIMIT_S: Final = 60

CONFIG: Final = f"""\
[currencies]
KRW = 2
[providers.bench]
profile = "dowinn-v3"
api_id = "bench"
api_key = "{KEY}"
"""


def provider() -> Provider:
    """The provider that the load plays."""
    return build_provider(random_bytes=os.urandom, name="bench", api_id="bench", api_key=KEY, currencies={"KRW": 2})


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A running `wallet up` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.webhook_port, self.admin_port = free_port(), free_port()
        self._pids = directory / "pids"
        config = directory / "wallet.toml"
        config.write_text(CONFIG)
        self.environ = {
            **os.environ,
            "WALLET_CONFIG": str(config),
            "WALLET_DATA_DIR": str(directory),
            "WALLET_WEBHOOK_PORT": str(self.webhook_port),
            "WALLET_ADMIN_PORT": str(self.admin_port),
            "WALLET_ADMIN_TOKEN": TOKEN,
            "WALLET_LOG_LEVEL": "WARNING",
        }

    def admin(self, method: str, path: str, body: dict[str, str] | None = None, key: str = "") -> Any:
        """One call of the back office."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - loopback
            return json.load(reply)

    def worker_pid(self) -> int:
        """The worker's pid, as the parent recorded it."""
        (path,) = self._pids.glob("worker-0*")
        return int(json.loads(path.read_text())["pid"])


@contextmanager
def running(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child process for as long as the block lasts."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port: int) -> None:
    """Until somebody listens."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return


def wait_until_ready(service: Service) -> None:
    """Until /readyz says so."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            service.admin("GET", "/readyz")
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)
        else:
            return


def requests_of(kind: Kind, first: int, count: int, players: int) -> list[bytes]:
    """`count` sealed events, spread over the players; each bet opens a round of its own."""
    bench = provider()
    (key,) = bench.keys
    headers = bench.headers(key)
    now_ms = time.time_ns() // 1_000_000 // 1000 * 1000
    requests = []
    for number in range(first, first + count):
        is_bet = kind is Kind.BET
        command = Command(
            kind=kind,
            provider="bench",
            user_id=f"player-{number % players}",
            transaction_id=f"2_bench_{now_ms}_{kind}_{number}",
            timestamp_ms=now_ms,
            received_ms=now_ms,
            currency="KRW" if is_bet else "",
            game_no=f"game-{number}" if is_bet else "",
            items=(Item("1", "P", 500_000),) if is_bet else (),
            context={"game_type": "BAC", "table_no": "T7"} if is_bet else {},
        )
        body = bench.seal(bench.profile.encode_event(command, 2), key)
        requests.append(post("/webhook/bench", body, headers))
    return requests


def check(sample: Sample, expected: str) -> None:
    """Every answer is the expected one."""
    bench = provider()
    codes = {bench.profile.decode_reply(bench.open(body, bench.keys[0])).code for body in sample.bodies}
    if codes != {expected}:
        raise SystemExit(f"worker_cpu: not every answer was {expected}: {sorted(codes)}")


async def measure(arguments: argparse.Namespace, service: Service, empty_port: int, empty_pid: int) -> list[Any]:
    """Load the yardstick and the wallet together. Pairs of samples, one a round."""
    port, pid, in_flight, players = service.webhook_port, service.worker_pid(), arguments.in_flight, arguments.players
    (logins,) = await drive([Target(port, pid, requests_of(Kind.LOGIN, 0, players, players))], in_flight)
    check(logins, "R0")
    pairs = []
    for number in range(arguments.rounds + 1):
        bets = requests_of(Kind.BET, number * arguments.bets, arguments.bets, players)
        plain = [request.replace(b"POST /webhook/bench", b"POST /") for request in bets]
        empty, bet = await drive([Target(empty_port, empty_pid, plain), Target(port, pid, bets)], in_flight)
        check(bet, "R4" if arguments.poor else "R0")
        if number:  # the first round warms up
            pairs.append((empty, bet))
            print(
                f"round {number}: empty {empty.cpu_us_per_request:6.1f} µs  bet {bet.cpu_us_per_request:6.1f} µs  "
                f"ratio {bet.cpu_us_per_request / empty.cpu_us_per_request:.2f}  "
                f"({bet.requests / bet.seconds:.0f} bets/s)",
                flush=True,
            )
    return pairs


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Exit status 1 if the ratio of bets that are taken is not under the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bets", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--players", type=int, default=200)
    parser.add_argument("--poor", action="store_true", help="nobody has money: what a decline costs")
    arguments = parser.parse_args(argv)
    empty_port = free_port()
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory:
        service = Service(Path(directory))
        with (
            running([sys.executable, "-m", "benchmarks.empty", str(empty_port)], dict(os.environ)) as empty,
            running([sys.executable, "-m", "seamless_wallet", "up"], service.environ),
        ):
            wait_for(empty_port)
            wait_until_ready(service)
            for number in range(arguments.players):
                service.admin("POST", "/v1/players", {"user_id": f"player-{number}", "currency": "KRW"})
                if not arguments.poor:
                    service.admin(
                        "POST", f"/v1/players/player-{number}/deposits", {"amount": "100000000.00"}, f"deposit-{number}"
                    )
            pairs = uvloop.run(measure(arguments, service, empty_port, empty.pid))
            balanced = service.admin("GET", "/v1/trial-balance")["balanced"]
    empty_us = statistics.median(empty.cpu_us_per_request for empty, _ in pairs)
    bet_us = statistics.median(bet.cpu_us_per_request for _, bet in pairs)
    ratio = bet_us / empty_us
    print(f"median: empty {empty_us:.1f} µs, bet {bet_us:.1f} µs, ratio {ratio:.2f} (limit {LIMIT})")
    print(f"ledger balanced: {balanced}")
    return 0 if (ratio < LIMIT or arguments.poor) and balanced else 1


if __name__ == "__main__":
    sys.exit(main())
