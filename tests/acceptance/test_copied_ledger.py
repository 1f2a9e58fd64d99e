"""A service that has outgrown its SQLite file goes on from a copy in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from seamless_wallet.commands import Code, Item, Kind
from tests.acceptance.calls import call, items
from tests.acceptance.service_process import RunningService, run
from tests.acceptance.test_restored_service import told
from tests.chosen_ledger import drop_database, new_database
from tests.postgres_server import Postgres
from tests.valkey_server import start_valkey


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[str]:
    """The URL of an empty one."""
    name = new_database()
    yield postgres_server.url(name)
    drop_database(name)


def players(service: RunningService) -> list[dict]:
    """All of them, with what they have and owe."""
    result = service.wallet("player", "list", "--limit", "1000", "--json")
    assert result.returncode == 0, result.stderr
    return list(json.loads(result.stdout))


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_service_goes_on_from_a_copy_of_its_ledger(tmp_path: Path, database: str) -> None:
    """Every balance is equal, an old bet is a duplicate, a bet that was open is settled, and verify is clean.

    While the service runs nothing is copied. The Redis that served the file is refused.
    """
    (tmp_path / "redis").mkdir()
    with start_valkey(tmp_path / "redis") as redis:
        file = f"sqlite:///{tmp_path}/ledger.db"
        with RunningService(tmp_path, WALLET_REDIS_URL=redis.url, WALLET_LEDGER_URL=file) as service:
            assert service.wallet("player", "create", "ann", "KRW").returncode == 0
            assert service.wallet("player", "deposit", "ann", "500").returncode == 0
            url = service.webhook_url
            assert call(url, Kind.LOGIN) is Code.R0
            assert call(url, Kind.BET, transaction_id="T-1", **items("g1")) is Code.R0
            played = service.wallet("simulate", "--players", "4", "--rounds", "5", "--seed", "1")
            assert played.returncode == 0, played.stderr
            before = players(service)
            assert "is in use by `wallet up`" in service.wallet("copy-ledger", database).stderr
        copied = run(["copy-ledger", database, "--json"], service.environ)
        assert copied.returncode == 0, copied.stderr
        moved = {**service.environ, "WALLET_LEDGER_URL": database}
        foreign = run(["write"], moved)
        assert foreign.returncode == 78
        assert json.loads(copied.stdout)["uuid"] in foreign.stderr
    with RunningService(tmp_path, WALLET_LEDGER_URL=database) as service:
        url = service.webhook_url
        assert players(service) == before
        assert call(url, Kind.BET, transaction_id="T-1", **items("g1")) is Code.R0
        assert call(url, Kind.BET, transaction_id="T-2", **items("g1")) is Code.R0  # the same bet under another id
        assert [row["balance"] for row in players(service) if row["user_id"] == "ann"] == ["499.00"]
        assert told(service, "event", "acme", "ann", "T-1")["kind"] == "bet"
        win = {**items("g1"), "items": (Item("1", "P", 100, 250),)}
        assert call(url, Kind.RESULT, **win) is Code.R0
        assert [row["balance"] for row in players(service) if row["user_id"] == "ann"] == ["502.50"]
        played = service.wallet("simulate", "--players", "4", "--rounds", "5", "--seed", "2")
        assert played.returncode == 0, played.stderr
        verified = told(service, "verify")
        assert verified["ok"]
        assert verified["ledger"]["entries"] > json.loads(copied.stdout)["entries"]
