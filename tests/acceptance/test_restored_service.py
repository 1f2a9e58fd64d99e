"""A backup of a running service, and a service that runs on what was restored from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seamless_wallet.commands import Code
from tests.acceptance.calls import Load, login
from tests.acceptance.service_process import RunningService, run
from tests.valkey_server import start_valkey


def told(service: RunningService, *words: str) -> dict:
    """What a command that did its work says in JSON."""
    result = service.wallet(*words, "--json")
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_service_goes_on_from_a_backup_that_was_made_under_load(tmp_path: Path) -> None:
    """No call is refused meanwhile. A running service is not replaced; a Redis that served the old ledger is refused.

    With another Redis the service has what the backup has, and takes events.
    """
    backup = str(tmp_path / "backup")
    (tmp_path / "redis").mkdir()
    with start_valkey(tmp_path / "redis") as redis:
        with RunningService(tmp_path, WALLET_REDIS_URL=redis.url) as service:
            assert service.wallet("player", "create", "ann", "KRW").returncode == 0
            assert service.wallet("player", "deposit", "ann", "500").returncode == 0
            with Load(service.webhook_url) as load:
                saved = told(service, "backup", backup)
            assert set(load.codes) == {Code.R0}
            assert not load.faults
            assert saved["entries"] >= 2
            assert service.wallet("player", "deposit", "ann", "7").returncode == 0
            refused = service.wallet("restore", backup, "--replace")
            assert refused.returncode == 78
            assert "is in use by `wallet up`" in refused.stderr
        restored = run(["restore", backup, "--replace"], service.environ)
        assert restored.returncode == 0, restored.stderr
        assert f"{saved['entries']} entries, the last of {saved['last_entry']}" in restored.stdout
        foreign = run(["write"], service.environ)
        assert foreign.returncode == 78
        assert saved["uuid"] in foreign.stderr
    with RunningService(tmp_path) as service:
        assert told(service, "player", "show", "ann")["balance"] == "500.00"
        assert login(service.webhook_url) is Code.R0
        verified = told(service, "verify")
        assert verified["ledger"]["entries"] == saved["entries"] + 1
        assert verified["ledger"]["uuid"] != saved["uuid"]
