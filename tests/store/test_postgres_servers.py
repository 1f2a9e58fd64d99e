"""What is expected of a server: one that keeps what it has committed, is asked directly, and is known by its start."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from unittest.mock import Mock

import asyncpg
import pytest

from seamless_wallet.calls.ports import CallsQuery
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreAway, StoreError, WriterOutdated
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.stores.postgres import PostgresLedger, init, primary
from seamless_wallet.stores.postgres_calls import PostgresCalls, init_calls
from tests.call_history import NOW_MS, call_record, encode_batch
from tests.guardian import guarded_directory
from tests.integration.waiting import until
from tests.postgres_server import Postgres
from tests.store.absent_standby import WAITING, do_without_standby, require_standby
from tests.store.backends import PostgresBackend
from tests.store.books import CURRENCIES, Book

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(postgres_server):  # so that a machine without one skips
    """One of the test's own, not started yet."""
    made = Postgres()
    yield made
    made.close()


def book() -> Book:
    """A player with money."""
    made = Book(0, 2)
    made.create()
    made.deposit(10_000)
    return made


async def writer_of(url: str, nonce: str) -> PostgresLedger:
    """Of both shards, in epoch 1."""
    ledger = PostgresLedger.open(url)
    await ledger.take_over(nonce, range(2), 0)
    for shard in range(2):
        await ledger.open_epoch(shard, 0, 1, "run", "repl", "")
    return ledger


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_what_it_has_committed_is_refused(server, setting):
    """In one line that says what to do"""
    server.settings[setting] = "off"
    server.start()
    for act in (lambda: init(server.url(), 2, CURRENCIES), lambda: PostgresLedger.open(server.url())):
        with pytest.raises(StoreError, match=f"{setting} = off .*turn it on"):
            act()


def test_an_operator_is_warned(server):
    """Of a ledger on one disk, and of a role that could rewrite history"""
    server.start()
    init(server.url(), 2, CURRENCIES)
    first, second = PostgresLedger.open(server.url()).warnings
    assert "no standby" in first
    assert "owns its tables" in second


def test_nobody_there(server):
    """Neither a server nor a database nor a ledger: one line each, without the password"""
    with pytest.raises(StoreAway, match="cannot connect"):
        PostgresLedger.open(server.url().replace("postgres@", "postgres:secret@"))
    server.start()
    with pytest.raises(StoreError, match='database "nowhere" does not exist') as caught:
        PostgresLedger.open(server.url("nowhere").replace("postgres@", "postgres:secret@"))
    assert "secret" not in str(caught.value)
    assert not isinstance(caught.value, StoreAway), "nobody makes that database by waiting"
    with pytest.raises(StoreError, match=r"there is no ledger .*wallet init"):
        PostgresLedger.open(server.url())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
async def test_a_server_that_was_started_anew_believes_no_writer_of_before(server, how):
    """Its heads name none, and that one writes nothing, until it was named again; what was committed is there"""
    server.start()
    init(server.url(), 2, CURRENCIES)
    writer, story = await writer_of(server.url(), "before"), book()
    reader = PostgresLedger.open(server.url())
    await writer.commit([story.take()])
    await asyncio.to_thread(server.restart, how)
    assert await reader.heads() == [ShardHead(1, 2, "run", "repl", ""), ShardHead(1, 0, "run", "repl", "")]
    assert await reader.has_named("before"), "it was a writer of this ledger all the same"
    assert (await reader.find_events([])).heads[0].nonce == ""
    story.deposit(5)
    for _ in range(2):  # the first finds its connection gone
        with pytest.raises(StoreError) as caught:
            await writer.commit([story.entries])
    assert isinstance(caught.value, WriterOutdated)
    for outdated in (writer.renew_leases(1_000, [], []), writer.open_epoch(0, 1, 2, "a", "b", "")):
        with pytest.raises(WriterOutdated):
            await outdated
    await writer.take_over("after", range(2), 0)
    await writer.commit([story.entries])
    assert [head.nonce for head in await reader.heads()] == ["after", "after"]
    assert [finding async for finding in reader.verify()] == []
    await writer.close()
    await reader.close()


async def test_a_commit_that_waits_for_a_standby_is_not_cancelled(server):
    """Neither by who gives up nor by the end of the process: cancelled, it would be there without the standby"""
    server.start()
    init(server.url(), 2, CURRENCIES)
    writer, story = await writer_of(server.url(), "waits"), book()
    await writer.commit([story.take()])
    backend = PostgresBackend(server, "postgres")
    await require_standby(server)
    logged = len(server.log())
    story.deposit(5)
    commit = asyncio.ensure_future(writer.commit([story.take()]))

    async def waits():
        return (await asyncio.to_thread(backend.rows, WAITING)) == [(1,)]

    await until(waits, "the commit to wait")
    commit.cancel()
    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0)
    assert await waits()
    assert "canceling" not in server.log()[logged:]
    await do_without_standby(server)
    await closing
    assert "canceling" not in server.log()[logged:]
    assert backend.rows("SELECT seq FROM shard WHERE shard = 0") == [(3,)]


def test_a_host_that_is_gone_is_found_out():
    """Whether nothing is under way, or a statement that it never acknowledges: no call has a time-out of its own"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as used:
        primary._keep_alive(Mock(_transport=Mock(get_extra_info=lambda _: used)))
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
        assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 11_000


PGBOUNCER = shutil.which("pgbouncer")


@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
@pytest.mark.parametrize("ignored", ["extra_float_digits", "enable_seqscan,enable_hashjoin,enable_mergejoin,jit"])
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_is_refused_in_one_line(server, mode, ignored):
    """It would hand each statement to another backend; a process of the wallet keeps few connections anyway"""
    server.start()
    directory = guarded_directory("pgb-")
    directory.chmod(0o755)
    if server._user:
        shutil.chown(directory, server._user)
    (directory / "ini").write_text(
        f"[databases]\n* = host={server.socket_directory} user=postgres\n"
        f"[pgbouncer]\npool_mode = {mode}\nlisten_addr =\nunix_socket_dir = {directory}\n"
        f"listen_port = 5432\nauth_type = any\n"
        f"ignore_startup_parameters = {ignored}\n"
    )
    pooler = subprocess.Popen([str(PGBOUNCER), "-q", directory / "ini"], user=server._user, stderr=subprocess.DEVNULL)
    try:
        url = f"postgresql://postgres@/postgres?host={directory}"
        for _ in range(200):
            if (directory / ".s.PGSQL.5432").exists():
                break
            subprocess.run(["sleep", "0.02"], check=True)
        with pytest.raises(StoreError, match="behind a connection pooler: set WALLET_LEDGER_URL to PostgreSQL itself"):
            init(url, 2, CURRENCIES)
    finally:
        pooler.terminate()
        pooler.wait()
        shutil.rmtree(directory)


async def keep_calls(url: str, directory: Path) -> None:
    """All that a service does with the history of calls."""
    spool = Spool(directory / "calls", "a")
    async with PostgresCalls(url, spool) as calls:
        for day in range(3):
            spool.write(encode_batch([call_record(received_ms=NOW_MS + day * 86_400_000)] * 2), NOW_MS)
            await calls.collect()
        await calls.prune(NOW_MS + 86_400_000, 2**30)
        first, *_, last = (await calls.find(CallsQuery())).calls
        assert await calls.acknowledge(first.id, NOW_MS, "seen")
        assert last.call.received_ms == NOW_MS + 86_400_000
        assert await calls.erase(first.call.user_id) == 4


async def test_the_role_of_the_service_adds_and_rewrites_nothing(server, tmp_path):
    """With the roles of deploy/postgres it does all that a service does; what would change history is forbidden"""
    server.start()

    def run(file: str, user: str = "postgres") -> None:
        socket = str(server.socket_directory)
        server.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", socket, "-U", user, "-d", "wallet", "-f", file)

    where = ("-h", str(server.socket_directory), "-U", "postgres")
    server.run("createdb", *where, "wallet")
    scripts = server.directory / "sql"
    shutil.copytree(ROOT / "deploy" / "postgres", scripts)
    scripts.chmod(0o755)
    run(str(scripts / "roles.sql"))
    init(server.url("wallet", "ledger_owner"), 2, CURRENCIES)
    init_calls(server.url("wallet", "ledger_owner"))
    run(str(scripts / "grants.sql"), "ledger_owner")
    url = server.url("wallet", "wallet")
    ledger, story = await writer_of(url, "n"), book()
    assert not any("owns its tables" in warning for warning in ledger.warnings)
    story.bet("g1", a=5)
    story.result("g1", a=(5, 5))
    for _ in range(64):
        story.deposit(1)
    await ledger.commit([story.take()])
    await ledger.register_scripts({}, 0)
    await ledger.renew_leases(1_000, [], [])
    await ledger.retire()
    assert [finding async for finding in ledger.verify()] == []
    await ledger.close()
    await keep_calls(url, tmp_path)
    backend = PostgresBackend(server, "wallet")
    backend.url = url
    for forbidden in (
        "UPDATE entry SET kind = 'x'",
        "DELETE FROM entry",
        "DELETE FROM mark",
        "DELETE FROM wallet",
        "UPDATE mark SET fingerprint = NULL",
        "UPDATE wallet SET user_id = 'x'",
        "DELETE FROM writer",
        "UPDATE script SET text = 'x'",
        "DROP TABLE wallet",
        "ALTER TABLE entry DISABLE TRIGGER ALL",
        "CREATE TABLE ledger.mine (x int)",
        "UPDATE ledger SET uuid = 'x'",
        "SET session_replication_role = replica",
        "UPDATE calls.call SET code = 'R0'",
        "DROP TABLE calls.call",
        "SELECT calls.add_piece(0, 1)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            backend.alter(forbidden)
