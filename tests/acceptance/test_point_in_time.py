"""A base backup under load and its archived WAL: the ledger is put back to a moment, and the service goes on."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from seamless_wallet.commands import Code, Kind
from seamless_wallet.stores.postgres.setup import apart
from tests.acceptance.calls import Load, call, items
from tests.acceptance.service_process import RunningService, wait_until
from tests.acceptance.test_copied_ledger import players
from tests.acceptance.test_restored_service import told
from tests.postgres_server import Postgres

RECOVERY_LIMIT_S = 30.0


def archiving_server() -> Postgres:
    """A server that keeps its WAL."""
    server = Postgres()
    archive = server.directory / "wal"
    archive.mkdir()
    if server._user:
        shutil.chown(archive, server._user)
    server.settings |= {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f", "wal_level": "replica"}
    return server


def asked(server: Postgres, query: str) -> str:
    """What a question is answered, as text."""
    return str(apart(server.url("ledger"), lambda connection: connection.fetchval(query)))


def money(service: RunningService) -> list[tuple[str, str, str]]:
    """What each player has and owes."""
    return [(row["user_id"], row["balance"], row["debt"]) for row in players(service)]


def put_back(server: Postgres, base: Path, moment: str) -> None:
    """The server is lost, and its base backup takes its place, up to a moment."""
    server.stop(signal.SIGQUIT)
    shutil.rmtree(server.data)
    base.rename(server.data)
    with (server.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'cp {server.directory}/wal/%f %p'\n")
        settings.write(f"recovery_target_time = '{moment}'\nrecovery_target_action = promote\n")
    (server.data / "recovery.signal").touch()
    server.start()


@pytest.mark.long
@pytest.mark.timeout(180)
def test_what_a_restored_ledger_lacks_comes_back_from_redis(tmp_path: Path) -> None:
    """The service ran on meanwhile. What was acknowledged after the moment stands in the streams, and is committed."""
    with archiving_server() as server:
        base = server.directory / "base"
        socket = str(server.socket_directory)
        server.run("createdb", "-h", socket, "-U", "postgres", "ledger")
        with RunningService(tmp_path, WALLET_LEDGER_URL=server.url("ledger")) as service:
            url = service.webhook_url
            assert service.wallet("player", "create", "ann", "KRW").returncode == 0
            assert service.wallet("player", "deposit", "ann", "500").returncode == 0
            with Load(url):
                server.run("pg_basebackup", "-h", socket, "-U", "postgres", "-D", str(base), "--checkpoint=fast")
            assert call(url, Kind.BET, transaction_id="T-1", **items("g1")) is Code.R0
            moment = asked(server, "SELECT clock_timestamp()::text")
            at_moment = int(asked(server, "SELECT sum(seq) FROM ledger.shard"))
            assert call(url, Kind.BET, transaction_id="T-2", **items("g2")) is Code.R0
            assert service.wallet("simulate", "--players", "3", "--rounds", "3", "--seed", "1").returncode == 0
            archived = asked(server, "SELECT pg_walfile_name(pg_current_wal_lsn())")
            asked(server, "SELECT pg_switch_wal()::text")
            wait_until((server.directory / "wal" / archived).exists, RECOVERY_LIMIT_S, "the WAL is archived")
            before, entries = money(service), told(service, "verify")["ledger"]["entries"]
            assert entries > at_moment
            put_back(server, base, moment)
            wait_until(lambda: "archive recovery complete" in server.log(), RECOVERY_LIMIT_S, "promoted")
            assert "recovery stopping before commit" in server.log()
            wait_until(lambda: call(url, Kind.LOGIN) is Code.R0, RECOVERY_LIMIT_S, "the service goes on")
            assert money(service) == before
            assert call(url, Kind.BET, transaction_id="T-2", **items("g2")) is Code.R0
            assert money(service) == before
            verified = told(service, "verify")
            assert verified["ok"]
            assert verified["ledger"]["entries"] > entries
