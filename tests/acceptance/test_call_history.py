"""The history of calls of a running service: complete in an outage, never in the way, explained in words."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Code, Kind
from seamless_wallet.settings import load_settings
from tests.acceptance.calls import acme, call, items
from tests.acceptance.service_process import RunningService, wait_until


def listed(service: RunningService, *options: str) -> list[dict[str, Any]]:
    """What `wallet calls list` tells, newest first."""
    told = service.wallet("calls", "list", "--json", *options)
    assert told.returncode == 0, told.stderr
    return list(json.loads(told.stdout))


def wait_for_calls(service: RunningService, count: int, *options: str) -> list[dict[str, Any]]:
    """Calls, once there are so many: a worker writes them within a second."""
    wait_until(lambda: len(listed(service, *options)) >= count, 20.0, f"{count} calls")
    return listed(service, *options)


def with_player(service: RunningService) -> None:
    """Ann has 100.00 and a session."""
    for words in (("create", "ann", "KRW"), ("deposit", "ann", "100.00")):
        done = service.wallet("player", *words)
        assert done.returncode == 0, done.stderr
    assert call(service.webhook_url) is Code.R0


def raw_code(service: RunningService, body: bytes, headers: dict[str, str]) -> bytes:
    """The plain answer to a body that is no event."""
    request = urllib.request.Request(f"{service.webhook_url}/webhook/acme", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return bytes(reply.read())


def test_what_went_wrong_is_found_and_explained(tmp_path: Path) -> None:
    """A bet, the same one with another amount, a body that is not sealed, a stranger, and an unknown player."""
    with RunningService(tmp_path) as service:
        with_player(service)
        assert call(service.webhook_url, Kind.BET, transaction_id="B-1", **items("G-1", 1000)) is Code.R0
        assert call(service.webhook_url, Kind.BET, transaction_id="B-1", **items("G-1", 2000)) is Code.R3
        assert call(service.webhook_url, Kind.BET, user_id="bob", transaction_id="B-2", **items("G-1")) is Code.R3
        headers = acme().headers(acme().keys[0])
        raw_code(service, b"AAAA", headers)
        assert raw_code(service, b"AAAA", {**headers, "Api-Key": "guess"}) == b'{"code":"R2"}'
        found = wait_for_calls(service, 6)
        assert [each["reason"] for each in found] == [
            "api_key", "undecryptable", "unknown_player", "conflict", "bet", "login",
        ]  # fmt: skip
        told = service.wallet("explain", "B-1").stdout
        assert "Balance 100.00 → 90.00 (-10.00)" in told
        assert "R0, processed (bet). The stakes were taken." in told
        assert "R3, not valid (conflict). This transaction_id came before with other values." in told
        assert '"total_bet_amount":20' in told
        assert "Use each transaction_id once." in told
        assert "Several events" in service.wallet("explain", "G-1").stdout
        assert "there is no player bob" in service.wallet("explain", "G-1", "--player", "bob").stdout
        assert "did not decrypt" in service.wallet("explain", found[1]["id"]).stdout
        assert service.wallet("explain", "no-such-id").returncode == 1
        shown = json.loads(service.wallet("calls", "show", found[4]["id"], "--json").stdout)
        assert json.loads(shown["request"])["data"]["game_no"] == "G-1"
        assert service.wallet("calls", "export", "--format", "csv", "--failed").stdout.count("\n") == 5
        everything = service.wallet("calls", "export").stdout
        assert headers["Api-Key"] not in everything


@pytest.mark.long
def test_the_calls_of_an_outage_are_there(tmp_path: Path) -> None:
    """Redis hangs: R1, and each of these calls is found afterwards, with what it took."""
    with RunningService(tmp_path, WALLET_DEADLINE_MS="300") as service:
        with_player(service)
        redis = service.pid("valkey")
        os.kill(redis, signal.SIGSTOP)
        try:
            for number in range(3):
                code = call(service.webhook_url, Kind.BET, transaction_id=f"B-{number}", **items(f"G-{number}"))
                assert code is Code.R1
            found = wait_for_calls(service, 3, "--code", "R1")
            assert [each["transaction_id"] for each in found] == ["B-2", "B-1", "B-0"]
        finally:
            os.kill(redis, signal.SIGCONT)


def test_bets_are_taken_when_nothing_can_be_recorded(tmp_path: Path) -> None:
    """The directory is a file, the history's file is none: every answer is the same, and drops are counted."""
    with RunningService(tmp_path) as service:
        with_player(service)
        wait_for_calls(service, 1)
        settings = load_settings(service.environ)
        shutil.rmtree(settings.calls_spool_path)
        settings.calls_spool_path.write_text("in the way")
        for number in range(20):
            code = call(service.webhook_url, Kind.BET, transaction_id=f"B-{number}", **items(f"G-{number}"))
            assert code is Code.R0

        def dropped() -> float:
            with urllib.request.urlopen(f"{service.admin_url}/metrics", timeout=10) as reply:
                lines = reply.read().decode().splitlines()
            return sum(
                float(line.split()[-1]) for line in lines if line.startswith('wallet_calls_dropped_total{cause="disk"')
            )

        wait_until(lambda: dropped() == 20, 20.0, "counted drops")
        settings.calls_spool_path.unlink()
        assert call(service.webhook_url, Kind.BET, transaction_id="B-last", **items("G-last")) is Code.R0
        wait_for_calls(service, 1, "--transaction", "B-last")


@pytest.mark.long
def test_a_killed_worker_leaves_whole_batches(tmp_path: Path) -> None:
    """And what it wrote is found once."""
    with RunningService(tmp_path) as service:
        with_player(service)
        assert call(service.webhook_url, Kind.BET, transaction_id="B-1", **items("G-1")) is Code.R0
        wait_for_calls(service, 2)
        pid = service.kill("worker-0")
        wait_until(lambda: service.is_replaced("worker-0", pid), 20.0, "another worker")
        wait_until(lambda: _answers(service), 20.0, "an answer of the new worker")
        found = wait_for_calls(service, 1, "--transaction", "B-2")
        assert len(listed(service, "--transaction", "B-1")) == 1
        assert found[-1]["code"] in {"R0", "R1"}


def _answers(service: RunningService) -> bool:
    try:
        return call(service.webhook_url, Kind.BET, transaction_id="B-2", **items("G-2")) is Code.R0
    except OSError:
        return False
