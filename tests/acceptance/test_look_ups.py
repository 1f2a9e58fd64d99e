"""What support looks up and brings in, on a running service: players from a file, results that are missing."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from typing import Any

import pytest

from seamless_wallet.commands import Code, Kind
from seamless_wallet.settings import admin_token, load_settings
from tests.acceptance.calls import call, items
from tests.acceptance.service_process import WALLET, RunningService, wait_until

PLAYERS = 3_000
OPENING = 12_34  # minor units


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One for all of these tests: each has players of its own."""
    with RunningService(tmp_path_factory.mktemp("look_ups")) as running:
        yield running


def asked(service: RunningService, path: str) -> Any:
    """The answer of the admin API."""
    token = admin_token(load_settings(service.environ)).get_secret_value()
    request = urllib.request.Request(service.admin_url + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)


def told(service: RunningService, *words: str) -> Any:
    """What a command tells with --json."""
    done = service.wallet(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_import_that_is_killed_and_run_again_brings_each_balance_once(service, tmp_path):
    """SIGKILL in the middle. Then all of them are there, and the same file in another form moves nothing."""
    file, again = tmp_path / "players.csv", tmp_path / "players.jsonl"
    names = [f"player-{number}" for number in range(PLAYERS)]
    file.write_text("".join(["user_id,currency,balance\n", *(f"{name},KRW,12.34\n" for name in names)]))
    players = ({"user_id": name, "currency": "KRW", "balance": "12.34"} for name in reversed(names))
    again.write_text("".join(json.dumps(player) + "\n" for player in players))
    environ = {**service.environ, **service.ports()}
    importing = subprocess.Popen([*WALLET, "player", "import", str(file)], env=environ, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: asked(service, "/v1/players?prefix=player-&limit=500")["next_cursor"], 20.0, "500 players")
    finally:
        importing.send_signal(signal.SIGKILL)
        importing.wait()
    counts = told(service, "player", "import", str(file))
    assert counts["known"] > 0
    assert counts["taken"] + counts["known"] == PLAYERS
    assert told(service, "player", "import", str(again)) == {
        "taken": 0, "known": PLAYERS, "refused": 0, "not_taken": [],
    }  # fmt: skip
    assert asked(service, "/v1/trial-balance")["currencies"]["KRW"]["player"] == f"{PLAYERS * OPENING / 100:.2f}"


def test_what_is_missing_is_found_and_dealt_with(service):
    """A result without a bet, and a bet without a result: listed until they come, noted, and decided again."""
    for words in (("create", "ann", "KRW"), ("deposit", "ann", "100.00")):
        assert service.wallet("player", *words).returncode == 0
    url = service.webhook_url
    assert call(url) is Code.R0
    assert call(url, Kind.BET, transaction_id="B-1", **items("G-1")) is Code.R0
    assert call(url, Kind.RESULT, transaction_id="W-2", **items("G-2")) is Code.R1
    (round_,) = asked(service, "/v1/rounds/open?hours=0")["rounds"]
    assert (round_["user_id"], round_["game_no"]) == ("ann", "G-1")
    assert told(service, "open-rounds", "--hours", "0") == [round_]
    assert told(service, "open-rounds") == []
    wait_until(lambda: asked(service, "/v1/orphans")["orphans"], 20.0, "the orphan")
    (orphan,) = asked(service, "/v1/orphans")["orphans"]
    assert (orphan["transaction_id"], orphan["tries"]) == ("W-2", 1)
    assert told(service, "calls", "orphans") == [orphan]
    assert service.wallet("calls", "acknowledge", orphan["call"], "--note", "asked").returncode == 0
    assert told(service, "calls", "list", "--transaction", "W-2", "--unacknowledged") == []
    assert call(url, Kind.BET, transaction_id="B-2", **items("G-2")) is Code.R0
    replay = ("calls", "replay", orphan["call"], "--reason", "gave up", "--confirm")
    assert "must be result" in service.wallet(*replay, "bet").stderr
    assert told(service, *replay, "result")["code"] == "R0"
    assert asked(service, "/v1/orphans")["orphans"] == []
    # What has not been written yet would appear after the others are erased.
    wait_until(
        lambda: any(each["replay_of"] for each in told(service, "calls", "list", "--transaction", "W-2")),
        20.0,
        "the replay",
    )
    assert told(service, "calls", "erase", "ann", "--yes")["erased"] > 0
    assert told(service, "calls", "list", "--player", "ann") == []
