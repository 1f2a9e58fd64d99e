"""Kill the service's processes under load: it carries on by itself, and no acknowledged cent is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections import Counter
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from seamless_wallet.settings import Settings, load_settings
from tests.acceptance.service_process import WALLET, RunningService, wait_until
from tests.ledger_copies import ledger_rows

PLAYERS = 16
ROUNDS = 40
EVENTS = "SELECT user_id, transaction_id FROM entry JOIN wallet USING (player) WHERE provider = 'acme'"
ROLES = ("valkey", "writer", "worker-0")
SEED = int(os.environ.get("WALLET_TEST_SEED", random.SystemRandom().randrange(2**31)))


@pytest.mark.timeout(180)
def test_killed_processes_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """SIGKILL of Valkey, the writer and a worker, in turn and at once, while a simulation with retries plays.

    Every answer is right, every acknowledged event is in the ledger exactly once, balances equal the fold.
    """
    print(f"seed: WALLET_TEST_SEED={SEED}")
    acks = tmp_path / "acks.jsonl"
    with RunningService(tmp_path) as service:
        arguments = ["--players", str(PLAYERS), "--rounds", str(ROUNDS), "--seed", str(SEED), "--acks", str(acks)]
        simulation = subprocess.Popen(
            [*WALLET, "simulate", *arguments, "--json"],
            env={**service.environ, **service.ports()},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for number, roles in enumerate([("valkey",), ("writer",), ("worker-0",), ROLES]):
                _wait_for_acks(acks, 100 * (number + 1), simulation)
                killed = {role: service.kill(role) for role in roles}
                for role, pid in killed.items():
                    wait_until(partial(service.is_replaced, role, pid), 20.0, f"a new {role}")
            output, _ = simulation.communicate(timeout=120)
        finally:
            simulation.kill()
        assert simulation.returncode == 0, output
        assert json.loads(output)["mismatches"] == []
        verified = service.wallet("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert_acknowledged_once(acks, load_settings(service.environ))


def _wait_for_acks(acks: Path, count: int, simulation: subprocess.Popen[str]) -> None:
    """So many more events were acknowledged: every kill meets a service at work."""
    before = _lines(acks)

    def enough() -> bool:
        assert simulation.poll() is None, "the simulation ended before all kills: play more rounds"
        return _lines(acks) >= before + 50 and _lines(acks) >= count

    wait_until(enough, 60.0, f"{count} acknowledged events")


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def assert_acknowledged_once(acks: Path, settings: Settings) -> None:
    """Everything that a simulation has acknowledged is in the ledger, and nothing twice."""
    acknowledged = {
        (ack["user_id"], ack["transaction_id"]): Decimal(ack["balance"])
        for ack in map(json.loads, acks.read_text().splitlines())
    }
    entries = Counter(ledger_rows(settings, EVENTS))
    assert acknowledged
    missing = acknowledged.keys() - entries.keys()
    assert not missing, f"acknowledged and not in the ledger: {sorted(missing)[:5]}"
    assert max(entries.values()) == 1
