from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
from pathlib import Path

import fakeredis
import pytest
from aiohttp import web
from typer.testing import CliRunner

from seamless_wallet import __version__
from seamless_wallet.access_roles import AccessRole, token_digest
from seamless_wallet.actions.ports import Action, ActionOutcome
from seamless_wallet.cli import app
from seamless_wallet.cli.demo import set_up_demo, simulate_command
from seamless_wallet.cli.endpoints import service_url
from seamless_wallet.cli.root import COMMANDS
from seamless_wallet.engine import keys
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import ensure_demo, load_settings
from seamless_wallet.settings.handover import settings_file
from seamless_wallet.stores.sqlite_actions import SqliteActions
from seamless_wallet.supervisor.data_directory import locked
from seamless_wallet.supervisor.supervisor import ServiceUrls
from tests.unit.fake_wallet import KEY, TOKEN, FakeWallet, problem, serving

READ_SETTINGS = (
    "up",
    "up --demo",
    "serve",
    "write",
    "admin",
    "init",
    "config check",
    "config show",
    "player show ann",
    "player deposit ann 5",
    "player list",
    "player balance ann --at 2026-01-31",
    "entries ann",
    "event dowinn ann t",
    "rounds ann",
    "calls list",
    "calls show 1",
    "calls export",
    "calls orphans",
    "calls acknowledge 1",
    "calls replay 1 --reason x --confirm bet",
    "calls erase ann --yes",
    "open-rounds",
    "explain T-9",
    "audit",
    "trial-balance",
    "verify",
    "backup file",
    "restore file",
    "archive 2026-01",
    "copy-ledger postgresql://host/ledger",
    "simulate",
    "conformance",
)
"""Every command that reads the settings."""

PROVIDER = f'[providers.demo]\nprofile = "dowinn-v3"\napi_id = "op"\napi_key = "{KEY}"\n'


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch) -> Path:
    """A data directory of its own, and no other variable of the service."""
    for name in os.environ:
        if name.startswith("WALLET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WALLET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "data"


@pytest.fixture
def wallet(monkeypatch):
    """Run the command with these words and variables."""

    def run(*words: str, **variables: str):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            return CliRunner().invoke(app, list(words))

    return run


@pytest.fixture
def fake():
    """A wallet in memory."""
    return FakeWallet()


@pytest.fixture
def service(fake, data_dir, monkeypatch):
    """A fake wallet that the settings point to. Its URL."""
    with serving(fake) as url:
        data_dir.mkdir()
        (data_dir / "wallet.toml").write_text(PROVIDER)
        monkeypatch.setenv("WALLET_ADMIN_TOKEN", TOKEN)
        port = url.rpartition(":")[2]
        monkeypatch.setenv("WALLET_ADMIN_HOST", "localhost")  # two listeners by the settings
        monkeypatch.setenv("WALLET_ADMIN_PORT", port)
        monkeypatch.setenv("WALLET_WEBHOOK_PORT", port)
        yield url


def refused(result, status: int) -> str:
    """The one line on stderr."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("wallet: ")
    return result.stderr


class TestTheCommand:
    def test_tells_its_version(self, wallet):
        assert wallet("--version").stdout == f"wallet {__version__}\n"

    def test_explains_itself(self, wallet):
        told = wallet("--help").stdout
        for name in (
            "up",
            "serve",
            "write",
            "admin",
            "init",
            "config",
            "player",
            "entries",
            "rounds",
            "trial-balance",
            "verify",
            "backup",
            "restore",
            "simulate",
        ):
            assert re.search(rf"\b{name}\b", told)
        assert "parent-fd" not in wallet("serve", "--help").stdout

    def test_refuses_what_it_does_not_know(self, wallet):
        assert wallet("fly").exit_code == 2
        assert "Did you mean 'simulate'" in wallet("simulat").stderr

    @pytest.mark.parametrize("words", READ_SETTINGS)
    def test_refuses_bad_settings_in_one_line_and_changes_nothing(self, wallet, words, data_dir):
        line = refused(wallet(*words.split(), WALLET_WORKERS="many"), 78)
        assert "WALLET_WORKERS" in line
        assert not data_dir.exists()


class TestArchive:
    def test_of_a_sqlite_ledger_is_refused_in_one_line(self, wallet):
        """Its months are in one table, which nothing leaves."""
        line = refused(wallet("archive", "2026-01"), 78)
        told = "months are archived of a ledger in PostgreSQL, and this one is in SQLite"
        assert line == f"wallet: WALLET_LEDGER_URL: {told}\n"

    def test_takes_a_month(self, wallet):
        assert "give a month such as 2026-01" in wallet("archive", "2026-1").stderr


class TestCopyLedger:
    def test_takes_the_url_of_a_postgresql_database(self, wallet):
        """The password of a wrong one is not repeated."""
        assert "name a PostgreSQL database" in wallet("copy-ledger", "sqlite:///x.db").stderr
        assert "s3cret" not in refused(wallet("copy-ledger", "postgresql://u:s3cret@127.0.0.1:1/x"), 78)

    def test_of_a_ledger_on_a_server_is_refused(self, wallet):
        line = refused(wallet("copy-ledger", "postgresql://h/x", WALLET_LEDGER_URL="postgresql://h/ledger"), 78)
        assert "the ledger is in PostgreSQL already" in line


class TestConfig:
    def test_is_checked(self, wallet, data_dir):
        assert wallet("config", "check").stdout.startswith("ok: no configuration file")
        data_dir.mkdir()
        (data_dir / "wallet.toml").write_text(PROVIDER)
        assert wallet("config", "check").stdout == f"ok: {data_dir / 'wallet.toml'}; providers: demo\n"

    @pytest.mark.parametrize("words", READ_SETTINGS)
    @pytest.mark.parametrize(
        ("old", "new", "setting", "told"),
        [
            ("dowinn-v3", "dowinn-v9", "profile", "unknown profile 'dowinn-v9'; choose one of dowinn-v3"),
            (KEY, KEY[1:] + "\\t", "api_key", "must fit into an HTTP header; remove control characters"),
            ('"op"', '" op"', "api_id", "must fit into an HTTP header; remove control characters"),
        ],
        ids=["profile", "key", "id"],
    )
    def test_refuses_a_provider_that_cannot_be_built(self, wallet, data_dir, words, old, new, setting, told):
        """Every command does, in one line that names setting and file, before anything is started or written."""
        data_dir.mkdir()
        config = data_dir / "wallet.toml"
        config.write_text(PROVIDER.replace(old, new))
        line = refused(wallet(*words.split()), 78)
        assert line.startswith(f"wallet: providers.demo.{setting} in {config}: {told}")
        assert list(data_dir.iterdir()) == [config]

    def test_every_command_is_asked(self):
        """A new command that reads settings belongs to READ_SETTINGS. Pages and new tokens need none."""
        assert {words.partition(" ")[0] for words in READ_SETTINGS} == set(COMMANDS) - {"docs", "token"}

    def test_is_shown_without_secrets(self, wallet, data_dir):
        data_dir.mkdir()
        (data_dir / "wallet.toml").write_text(PROVIDER)
        token = "s3cret-s3cret-s3cret"
        shown = wallet("config", "show", WALLET_ADMIN_TOKEN=token, WALLET_REDIS_URL="redis://:s3cret@h/").stdout
        assert json.loads(shown)["providers"]["demo"]["api_id"] == "op"
        assert KEY not in shown
        assert "s3cret" not in shown


@pytest.mark.parametrize("words", ["config check", "up", "up --demo", "init"])
class TestWhatIsThere:
    """Refused before anything is written, by `config check` as by what it checks for."""

    def test_a_ledger_in_no_directory_is_refused(self, wallet, data_dir, words, tmp_path):
        line = refused(wallet(*words.split(), WALLET_LEDGER_URL=f"sqlite:///{tmp_path}/nope/x.db"), 78)
        assert line.startswith(f"wallet: WALLET_LEDGER_URL: the directory {tmp_path}/nope does not exist")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("WALLET_REDIS_URL", "redis://h:x/0"),
            ("WALLET_WEBHOOK_HOST", "nope..x"),
            ("WALLET_ADMIN_TOKEN", "short"),
        ],
    )
    def test_a_setting_of_no_use_is_refused(self, wallet, words, name, value, tmp_path):
        assert name in refused(wallet(*words.split(), **{name: value}), 78)
        assert not list(tmp_path.iterdir())


def test_a_token_written_by_hand_is_checked_before_anything_starts(wallet, data_dir):
    """As one that is set."""
    data_dir.mkdir()
    (data_dir / "admin.token").write_text("short")
    for words in ("up", "config check"):
        assert "admin.token is shorter" in refused(wallet(*words.split()), 78)
    assert [path.name for path in data_dir.iterdir()] == ["admin.token"]


class TestInit:
    def test_makes_the_data_directory_for_a_ledger_in_it(self, wallet, data_dir):
        result = wallet("init", WALLET_LEDGER_URL=f"sqlite:///{data_dir}/other.db")
        assert result.exit_code == 0, result.output
        assert (data_dir / "other.db").exists()

    def test_makes_the_ledger_once(self, wallet, data_dir):
        first, second = wallet("init").stdout, wallet("init").stdout
        assert first == second
        assert "16 shards, KRW, USD, JPY, PHP, EUR" in first
        assert (data_dir / "ledger.sqlite3").exists()

    def test_refuses_another_number_of_shards(self, wallet):
        wallet("init")
        assert "has 16 shards and the settings say 8" in refused(wallet("init", WALLET_SHARDS="8"), 78)


class TestUp:
    @pytest.fixture
    def supervisor(self, monkeypatch):
        """Nothing is started; `started` holds the settings that the children would have got."""
        started = []

        class Double:
            def __init__(self, settings, on_ready, prepare, load, on_reload, in_terminal):
                self.settings = settings
                self.prepare = prepare

            async def run(self) -> int:
                self.settings.data_dir.mkdir(exist_ok=True)
                started.append(self.prepare(self.settings))
                return 3

        monkeypatch.setattr("seamless_wallet.supervisor.supervisor.Supervisor", Double)
        return started

    def test_makes_the_ledger_if_there_is_none(self, wallet, supervisor, data_dir):
        result = wallet("up")
        assert result.exit_code == 3
        assert (data_dir / "ledger.sqlite3").exists()
        assert not (data_dir / "wallet.toml").exists()
        assert supervisor[0].providers == {}

    def test_invents_a_provider_for_the_demo_once(self, wallet, supervisor, data_dir):
        wallet("up", "--demo")
        files = {name: (data_dir / name).read_text() for name in ("wallet.toml", "demo.key", "admin.token")}
        wallet("up", "--demo")
        assert files == {name: (data_dir / name).read_text() for name in files}
        assert [list(settings.providers) for settings in supervisor] == [["demo"], ["demo"]]

    def test_invents_nothing_beside_a_configuration(self, wallet, supervisor, data_dir, tmp_path):
        given = tmp_path / "given.toml"
        given.write_text("workers = 2\n")
        wallet("up", "--demo", WALLET_CONFIG=str(given))
        assert supervisor[0].workers == 2
        assert not (data_dir / "wallet.toml").exists()
        assert not (data_dir / "demo.key").exists()

    def test_refuses_a_ledger_that_contradicts_the_settings(self, wallet, supervisor):
        wallet("init")
        assert "has 16 shards" in refused(wallet("up", WALLET_SHARDS="8"), 78)
        assert not supervisor


class TestAProcess:
    @pytest.mark.parametrize(
        ("words", "runner", "expected"),
        [
            ("serve --fd 5 --parent-fd 6", "worker.run_worker", {"fd": 5, "standby": False, "parent_fd": 6}),
            ("serve", "worker.run_worker", {"fd": None, "standby": False, "parent_fd": None}),
            ("write --parent-fd 6", "writer.run_writer", {"parent_fd": 6}),
            ("admin --fd 5 --standby --parent-fd 6", "admin.run_admin", {"fd": 5, "standby": True, "parent_fd": 6}),
        ],
    )
    def test_gets_what_its_parent_hands_down(self, wallet, monkeypatch, words, runner, expected):
        got = {}

        def run(_, **given) -> int:
            got.update(given)
            return 7

        monkeypatch.setattr(f"seamless_wallet.processes.{runner}", run)
        assert wallet(*words.split()).exit_code == 7
        assert got == expected

    def test_takes_the_settings_that_its_parent_hands_down(self, wallet, monkeypatch):
        """Not those of its environment, which may be wrong by now."""
        got = []

        def run(settings, **_) -> int:
            got.append(settings)
            return 7

        monkeypatch.setattr("seamless_wallet.processes.worker.run_worker", run)
        given = load_checked_settings({"WALLET_SHARDS": "5", "WALLET_REDIS_URL": "redis://:secret@127.0.0.1/0"})
        words = ("serve", "--settings-fd", str(settings_file(given)))
        assert wallet(*words, WALLET_SHARDS="none").exit_code == 7
        assert got == [given]


@pytest.mark.usefixtures("service")
class TestPlayer:
    def test_is_created_shown_and_blocked(self, wallet, fake):
        assert wallet("player", "create", "ann", "KRW").stdout == "ann: active, KRW 0.00\n"
        assert wallet("player", "block", "ann").stdout == "ann: blocked, KRW 0.00\n"
        assert wallet("player", "unblock", "ann").stdout == "ann: active, KRW 0.00\n"
        fake.players["ann"].debt = 5
        assert wallet("player", "show", "ann").stdout == "ann: active, KRW 0.00, owes 0.05\n"
        shown = json.loads(wallet("player", "show", "ann", "--json").stdout)
        assert (shown["balance"], shown["debt"]) == ("0.00", "0.05")

    def test_has_one_currency_by_place_or_by_name(self, wallet, fake):
        assert wallet("player", "create", "bob", "--currency", "KRW").stdout == "bob: active, KRW 0.00\n"
        for words in ((), ("KRW", "--currency", "USD")):
            result = wallet("player", "create", "eve", *words)
            assert result.exit_code == 2
            assert "CURRENCY" in result.stderr
        assert list(fake.players) == ["bob"]

    def test_has_money_moved(self, wallet, fake):
        fake.create("ann")
        assert wallet("player", "deposit", "ann", "5").stdout == "ann: deposit KRW 5, now 5.00\n"
        assert wallet("player", "deposit", "ann", "5").stdout == "ann: deposit KRW 5, now 10.00\n"
        assert wallet("player", "withdraw", "ann", "2.50").stdout == "ann: withdraw KRW 2.50, now 7.50\n"
        assert json.loads(wallet("player", "withdraw", "ann", "1", "--json").stdout)["balance"] == "6.50"

    def test_has_money_moved_once_under_one_key(self, wallet, fake):
        fake.create("ann")
        wallet("player", "deposit", "ann", "5", "--key", "k")
        again = wallet("player", "deposit", "ann", "5", "--key", "k").stdout
        assert again == "ann: deposit KRW 5, now 5.00 (done before, nothing moved)\n"

    def test_is_refused_in_the_words_of_the_back_office(self, wallet, fake):
        fake.create("ann")
        assert (
            refused(wallet("player", "withdraw", "ann", "5"), 1)
            == "wallet: No, insufficient-funds: nothing was moved\n"
        )
        assert refused(wallet("player", "show", "bob"), 1) == "wallet: No, unknown-player: create the player first\n"

    def test_is_told_the_key_when_the_outcome_stays_unknown(self, wallet, fake, monkeypatch):
        monkeypatch.setattr("seamless_wallet.clients.admin_api.PAUSE_FIRST_S", 60)
        fake.create("ann")

        async def before(_: web.Request) -> web.Response:
            return problem(503, "outcome-unknown", "unknown")

        fake.before = before
        line = refused(wallet("player", "deposit", "ann", "5", "--key", "k1"), 1)
        assert line == "wallet: the outcome is unknown: repeat it with --key k1\n"

    def test_needs_a_service_and_its_token(self, wallet, tmp_path):
        gone = wallet("player", "show", "ann", "--admin-url", "http://127.0.0.1:9")
        assert "no back office at http://127.0.0.1:9: connection refused" in refused(gone, 1)
        wrong = tmp_path / "token"
        wrong.write_text("another\n")
        assert "Bearer" in refused(wallet("player", "show", "ann", "--admin-token-file", str(wrong)), 1)
        missing = wallet("player", "show", "ann", WALLET_ADMIN_TOKEN="")
        assert "start the wallet first" in refused(missing, 78)
        assert not list(tmp_path.rglob("admin.token"))

    def test_may_be_somewhere_else_altogether(self, wallet, fake, service, tmp_path):
        """URL and token given, the settings here do not matter."""
        fake.create("ann")
        (tmp_path / "token").write_text(TOKEN + "\n")
        words = ("player", "show", "ann", "--admin-url", service, "--admin-token-file", str(tmp_path / "token"))
        assert wallet(*words, WALLET_WORKERS="many").exit_code == 0


class TestTokens:
    """`wallet token new` and `wallet audit`."""

    def test_a_new_token_comes_with_the_lines_that_let_it_in(self, wallet, data_dir):
        made = wallet("token", "new", "ann", "--role", "support")
        assert made.exit_code == 0
        token = made.stdout.splitlines()[0].rpartition(" ")[2]
        lines = made.stdout.partition("\n\n")[2]
        assert token not in lines
        data_dir.mkdir(exist_ok=True)
        (data_dir / "wallet.toml").write_text(lines)
        (holder,) = (each.holder(name) for name, each in load_settings(os.environ).tokens.items())
        assert holder == ("ann", AccessRole.SUPPORT, token_digest(token))
        assert wallet("token", "new", "ann", "--role", "support").stdout != made.stdout

    @pytest.mark.parametrize(("name", "role"), [("Ann", "read"), ("admin", "read"), ("ann", "king")])
    def test_a_name_or_role_that_is_none_is_refused(self, wallet, name, role):
        assert wallet("token", "new", name, "--role", role).exit_code == 2

    def test_the_audit_log_is_one_line_for_each_action(self, wallet, data_dir):
        assert "nothing is recorded" in refused(wallet("audit"), 1)
        data_dir.mkdir(exist_ok=True)

        async def record() -> None:
            async with SqliteActions(data_dir / "ledger.sqlite3.audit.db") as actions:
                for why in ("ticket 7", "a\x1b[31mred"):
                    place = ("ann-desk", "money", "10.0.0.7", "deposit", "POST", "/v1/players/bob/deposits", "bob", "k")
                    done = await actions.begin(Action(1_767_225_600_000, *place, '{"amount": "5"}', why))
                await actions.end(done, ActionOutcome(1_767_225_600_100, 201, "", "{}"))

        asyncio.run(record())
        told = '2026-01-01T00:00:00.000Z ann-desk (money) from 10.0.0.7: deposit bob {"amount": "5"}'
        lines = wallet("audit").stdout.splitlines()
        assert lines == [f"{told} because a\\x1b[31mred → 201", f"{told} because ticket 7 → unknown"]
        assert wallet("audit", "--actor", "bob").stdout == ""
        (action,) = json.loads(wallet("audit", "--player", "bob", "--limit", "1", "--json").stdout)
        assert (action["action"], action["outcome"]["status"]) == ("deposit", 201)


@pytest.mark.usefixtures("service")
class TestTrialBalance:
    def test_is_a_table_or_json(self, wallet):
        result = wallet("trial-balance")
        assert result.exit_code == 0
        assert re.search(r"^KRW +5\.00 +0\.00 +-5\.00 +0\.00 +0\.00$", result.stdout, re.MULTILINE)
        assert json.loads(wallet("trial-balance", "--json").stdout)["balanced"] is True

    def test_takes_the_options_of_all_commands_of_the_back_office(self, wallet, service, tmp_path):
        (tmp_path / "token").write_text(TOKEN)
        words = ("trial-balance", "--admin-url", service, "--admin-token-file", str(tmp_path / "token"))
        assert wallet(*words, WALLET_WORKERS="many").exit_code == 0
        gone = refused(wallet("trial-balance", "--ca-file", str(tmp_path / "gone")), 78)
        assert gone.startswith("wallet: --ca-file: cannot read")

    def test_fails_if_it_is_not_zero(self, wallet, fake):
        fake.balanced = False
        assert wallet("trial-balance").exit_code == 1


class TestVerify:
    def test_needs_a_ledger(self, wallet, data_dir):
        line = refused(wallet("verify"), 78)
        assert line == f"wallet: there is no ledger at {data_dir / 'ledger.sqlite3'}: run `wallet init`\n"
        assert not data_dir.exists()

    def test_finds_nothing_in_a_new_ledger_and_does_not_need_redis(self, wallet):
        wallet("init")
        result = wallet("verify")
        assert result.exit_code == 0, result.output
        assert "0 entries, 0 findings" in result.stdout
        assert "Redis: not compared" in result.stdout
        assert "(--ledger-only)" in wallet("verify", "--ledger-only").stdout
        told = json.loads(wallet("verify", "--json").stdout)
        assert told["ok"]
        assert told["redis"]["reachable"] is False

    def test_since_the_last_time(self, wallet, data_dir):
        wallet("init")
        result = wallet("verify", "--since-last")
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "ok"), result.output
        kept = data_dir / "ledger.sqlite3.verified"
        assert json.loads(kept.read_text())["last_id"] == 0
        assert json.loads(wallet("verify", "--since-last", "--json").stdout)["ok"] is True
        kept.write_text("{}")
        assert "remove that file" in refused(wallet("verify", "--since-last"), 1)
        kept.unlink()
        with sqlite3.connect(data_dir / "ledger.sqlite3") as ledger:
            ledger.execute("UPDATE shard SET seq = 3 WHERE shard = 5")
        ledger.close()
        result = wallet("verify", "--since-last")
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "NOT OK")
        assert not kept.exists()

    def test_only_notes_what_nobody_has_committed(self, wallet, monkeypatch):
        wallet("init")
        server = fakeredis.FakeServer()

        def connect(_: str) -> fakeredis.FakeAsyncRedis:
            return fakeredis.FakeAsyncRedis(server=server, decode_responses=True)

        monkeypatch.setattr("seamless_wallet.engine.connection.decoding_client", connect)
        monkeypatch.setattr(
            "seamless_wallet.wallet.redis_comparison.Comparison.__init__.__kwdefaults__", {"wait_s": 0.2}
        )
        client = fakeredis.FakeRedis(server=server)
        client.hset(keys.head(0), mapping={"epoch": 0, "seq": 2, "committed": 0})
        client.hset(keys.wallet(0, 0, "ann"), mapping={"version": 2, "seq": 2, "balance": 5, "debt": 0})
        result = wallet("verify")
        assert result.exit_code == 0, result.output
        assert "\n  uncommitted, not acknowledged: 2 entries; check that the writer is running\nok\n" in result.stdout
        told = json.loads(wallet("verify", "--json").stdout)
        assert (told["ok"], told["redis"]["uncommitted"]) == (True, 2)

    def test_tells_what_does_not_fit(self, wallet, data_dir):
        wallet("init")
        with sqlite3.connect(data_dir / "ledger.sqlite3") as ledger:
            ledger.execute("UPDATE shard SET seq = 3 WHERE shard = 5")
        ledger.close()
        result = wallet("verify")
        assert result.exit_code == 1
        assert "shard 5, entry 0: is not where the head says" in result.stdout
        assert result.stdout.endswith("NOT OK\n")
        told = json.loads(wallet("verify", "--json").stdout)
        assert (told["ok"], told["ledger"]["finding_count"]) == (False, 1)


async def _unknown_deposits(request: web.Request) -> web.Response | None:
    return problem(503, "outcome-unknown", "unknown") if request.path.endswith("/deposits") else None


@pytest.mark.usefixtures("service")
class TestSimulate:
    def test_tells_that_every_answer_was_right(self, wallet):
        result = wallet("simulate", "--players", "2", "--rounds", "2", "--seed", "1")
        assert result.exit_code == 0, result.output
        assert "every answer was right" in result.stdout
        assert "seed 1" in result.stdout

    def test_tells_an_r1_that_was_due_from_a_retry(self, wallet):
        result = wallet("simulate", "--players", "2", "--rounds", "2", "--seed", "1", "--chaos", "1")
        assert result.exit_code == 0, result.output
        assert "\neach R1 in the table was the right answer\n0 retries because no decision came\n" in result.stdout
        result = wallet("simulate", "--players", "2", "--rounds", "2", "--chaos", "0", "--duplicates", "0")
        assert "\n0 retries because no decision came\n" in result.stdout
        assert "R1" not in result.stdout

    def test_shows_what_it_deposits(self, wallet, fake):
        fake.create("ann")
        words = ("simulate", "--player", "ann", "--rounds", "1", "--chaos", "0")
        assert "deposited KRW 20000.00 to play with: ann\n" in wallet(*words, "--verbose").stdout
        assert "deposited" not in wallet("simulate", "--players", "1", "--rounds", "0").stdout
        told = wallet("simulate", "--players", "1", "--rounds", "0", "--verbose").stdout
        assert re.search(r"^deposited KRW 20000\.00 to play with: sim-", told)

    def test_ends_in_a_line_when_a_deposit_stays_unknown(self, wallet, fake):
        fake.before = _unknown_deposits
        assert "unknown" in refused(wallet("simulate", "--players", "9", "--retry-s", "0"), 1)

    def test_counts_a_deposit_that_stays_unknown_within_a_round(self, wallet, fake):
        fake.create("ann")
        fake.before = _unknown_deposits
        result = wallet("simulate", "--player", "ann", "--rounds", "1", "--retry-s", "0")
        assert result.exit_code == 1
        assert "ann deposit" in result.stdout
        assert "Traceback" not in result.output

    def test_shows_what_was_not(self, wallet, fake):
        fake.meddle = lambda _command, answer, _oracle: type(answer)(answer.code, "", 1, 0, "KRW")
        result = wallet("simulate", "--players", "2", "--rounds", "2", "--chaos", "0", "--seed", "1")
        assert result.exit_code == 1
        assert "2 MISMATCHES" in result.stdout
        assert "expected R0, balance 20000.00" in result.stdout

    def test_is_one_json_document(self, wallet):
        told = json.loads(wallet("simulate", "--players", "1", "--rounds", "1", "--json", "--verbose").stdout)
        assert told["ok"] is True

    def test_shows_requests_and_answers_in_the_clear(self, wallet, fake):
        fake.create("ann", "KRW", 1_000_000)
        told = wallet("simulate", "--player", "ann", "--rounds", "0", "--verbose").stdout
        assert re.search(r'→ \{"transaction_id":"0_sim_.*\n← \{"code":"R0","event_type":"login"', told)
        assert KEY not in told

    def test_asks_which_provider_is_meant(self, wallet, data_dir):
        line = refused(wallet("simulate", "--provider", "acme"), 2)
        assert "the settings have no 'acme'; choose one of: demo" in line
        (data_dir / "wallet.toml").write_text("")
        told = "pass the URL of a webhook, --api-id and --api-key-file, or add [providers.<name>] to the settings"
        assert told in refused(wallet("simulate"), 2)
        (data_dir / "wallet.toml").write_text(PROVIDER + PROVIDER.replace(".demo", ".other"))
        assert "choose one of: demo, other" in refused(wallet("simulate"), 2)

    def test_refuses_what_cannot_begin(self, wallet):
        assert "create the player first" in refused(wallet("simulate", "--player", "nobody"), 2)
        assert "'nowhere' is not the http:// URL" in refused(wallet("simulate", "nowhere", "--player", "ann"), 2)


class TestTheDemo:
    async def test_makes_its_players_once_and_says_what_to_try(self, fake, capsys, monkeypatch, data_dir):
        monkeypatch.setenv("WALLET_ADMIN_TOKEN", TOKEN)
        ensure_demo()
        with serving(fake) as url:
            for _ in range(2):
                await set_up_demo(load_checked_settings(), ServiceUrls(url, url))
        assert {name: oracle.balance for name, oracle in fake.players.items()} == {
            "demo-1": 100_000_000,
            "demo-2": 100_000_000,
        }
        told = capsys.readouterr().out
        assert f"{url}/webhook/demo" in told
        assert f"simulate {url} --admin-url {url} --player demo-1 --rounds 1 --seed 286 --verbose" in told

    async def test_goes_on_without_its_players(self, fake, capsys, monkeypatch):
        monkeypatch.setenv("WALLET_ADMIN_TOKEN", "another-token-than-that")
        ensure_demo()
        with serving(fake) as url:
            await set_up_demo(load_checked_settings(), ServiceUrls(url, url))
        assert "the demo players could not be created" in capsys.readouterr().err

    def test_proposes_a_command_that_reads_the_same_settings(self, data_dir, monkeypatch, tmp_path):
        ensure_demo()
        urls = ServiceUrls("http://127.0.0.1:8080", "http://127.0.0.1:8081")
        assert simulate_command(urls).startswith(f"WALLET_DATA_DIR={data_dir} ")
        assert simulate_command(urls).endswith(" simulate --player demo-1 --rounds 1 --seed 286 --verbose")
        monkeypatch.delenv("WALLET_DATA_DIR")
        monkeypatch.chdir(tmp_path)
        ensure_demo()
        assert "WALLET" not in simulate_command(urls)


class TestAnAddress:
    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("127.0.0.1", "http://127.0.0.1:80"),
            ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104 - a setting, not a listener
            ("::", "http://[::1]:80"),
            ("example.org", "http://example.org:80"),
        ],
    )
    def test_is_one_that_can_be_called(self, host, url):
        assert service_url(host, 80, "--url") == url

    def test_must_be_known(self):
        with pytest.raises(SettingsError, match="--admin-url"):
            service_url("127.0.0.1", 0, "--admin-url")


class TestCalls:
    def test_are_acknowledged(self, wallet, fake, service):
        told = wallet("calls", "acknowledge", "17", "--note", "provider told")
        assert told.stdout == "call 17 acknowledged at now\n"
        assert fake.noted == [("POST", "/v1/calls/17/acknowledgement", {"note": "provider told"})]

    def test_are_decided_again_when_somebody_says_what_they_asked(self, wallet, fake, service):
        told = wallet("calls", "replay", "17", "--reason", "gave up", "--confirm", "cancel")
        assert told.stdout == "call 17 decided again: R0 cancel\n"
        assert wallet("calls", "replay", "17", "--confirm", "cancel").exit_code == 2
        assert wallet("calls", "replay", "17", "--reason", "gave up").exit_code == 1  # nobody types it
        assert fake.noted == [("POST", "/v1/calls/17/replay", {"confirm": "cancel", "reason": "gave up"})]

    def test_are_erased_when_somebody_says_so(self, wallet, fake, service):
        assert wallet("calls", "erase", "ann").exit_code == 1
        assert fake.noted == []
        assert wallet("calls", "erase", "ann", "--yes").stdout == "3 calls of ann erased\n"
        assert json.loads(wallet("calls", "erase", "ann", "--yes", "--json").stdout)["erased"] == 3
        assert fake.noted == 2 * [("DELETE", "/v1/players/ann/calls", {})]

    @pytest.mark.parametrize("words", ["acknowledge 17", "replay 17 --reason x --confirm bet", "erase ann --yes"])
    def test_need_the_token(self, wallet, service, words):
        told = wallet("calls", *words.split(), WALLET_ADMIN_TOKEN="wrong" * 8)
        assert "Bearer" in refused(told, 1)


class TestImport:
    @pytest.fixture
    def file(self, tmp_path) -> Path:
        path = tmp_path / "players.csv"
        path.write_text("user_id,currency,balance\nann,KRW,5.00\nbad\nbob,KRW,\n")
        return path

    def test_tells_what_was_taken_and_what_not(self, wallet, fake, service, file):
        told = wallet("player", "import", str(file))
        assert told.exit_code == 1
        assert told.stdout.splitlines() == [
            "line 3: invalid-line: has another number of columns than the first line",
            "2 players taken, 0 known before, 1 not taken",
        ]
        assert fake.players["ann"].balance == 500

    def test_again_takes_nothing(self, wallet, service, file):
        file.write_text("user_id,currency\nann,KRW\n")
        assert wallet("player", "import", str(file)).stdout == "1 players taken, 0 known before, 0 not taken\n"
        again = wallet("player", "import", str(file), "--json")
        assert again.exit_code == 0
        assert json.loads(again.stdout) == {"taken": 0, "known": 1, "refused": 0, "not_taken": []}
        file.write_text("user_id,currency\nann,USD\n")
        refused = json.loads(wallet("player", "import", str(file), "--json").stdout)["not_taken"]
        assert refused == [{"line": 2, "user_id": "ann", "problem": "player-exists", "detail": "no"}]

    def test_of_something_else_is_wrong_usage(self, wallet, service, tmp_path):
        assert "cannot read" in refused(wallet("player", "import", str(tmp_path / "none.csv")), 2)

    def test_without_a_service_ends_in_one_line(self, wallet, file):
        url = "http://127.0.0.1:1"
        (file.parent / "token").write_text("x" * 32)
        words = "--admin-url", url, "--admin-token-file", str(file.parent / "token")
        assert f"no back office at {url}" in wallet("player", "import", str(file), *words).stderr


class TestBackupAndRestore:
    @pytest.fixture
    def file(self, wallet, tmp_path) -> Path:
        wallet("init")
        return tmp_path / "backup"

    def test_say_what_they_did(self, wallet, data_dir, file):
        saved = wallet("backup", str(file))
        assert saved.exit_code == 0, saved.output
        assert saved.stderr == ""
        first, ends, shards, took = saved.stdout.splitlines()
        assert re.fullmatch(rf"{file}: a backup of the ledger [0-9a-f-]{{36}}, [\d.]+ KiB, checked, 0 findings", first)
        assert ends == "  0 entries, no entry yet"
        assert shards.startswith("  by shard: 0: 0, 1: 0, ")
        assert re.fullmatch(r"took \d+\.\d s", took)
        restored = wallet("restore", str(file), "--replace")
        assert restored.exit_code == 0, restored.output
        assert restored.stderr == ""
        assert restored.stdout.startswith(f"{data_dir / 'ledger.sqlite3'}: restored from {file}, ")
        assert "What was acknowledged after that entry is not in it" in restored.stdout
        assert "a Redis that served the old one is refused as foreign; empty it, or use another" in restored.stdout
        (kept,) = data_dir.glob("ledger.sqlite3.replaced-*")
        assert f"The old ledger is kept: {kept}\n" in restored.stdout
        assert wallet("verify").exit_code == 0

    def test_tell_machines(self, wallet, data_dir, file):
        told = json.loads(wallet("backup", str(file), "--json").stdout)
        assert told["path"] == str(file)
        assert told["entries_by_shard"] == [0] * 16
        assert (told["entries"], told["last_entry"]) == (0, None)
        assert told["size_bytes"] == file.stat().st_size
        (data_dir / "ledger.sqlite3").unlink()
        restored = json.loads(wallet("restore", str(file), "--json").stdout)
        assert restored["uuid"] != told["uuid"]
        assert restored["kept"] is None

    def test_refuse_with_the_status_of_other_commands(self, wallet, data_dir, file):
        line = refused(wallet("backup", str(file), WALLET_DATA_DIR=str(file.parent / "none")), 78)
        assert "there is no ledger" in line
        wallet("backup", str(file))
        assert "exists already" in refused(wallet("backup", str(file)), 1)
        assert "pass --replace" in refused(wallet("restore", str(file)), 1)
        assert "there is no backup" in refused(wallet("restore", f"{file}-none"), 1)
        assert "has 16 shards and the settings say 8" in refused(
            wallet("restore", str(file), "--replace", WALLET_SHARDS="8"), 78
        )
        line = refused(wallet("restore", str(file), WALLET_LEDGER_URL=f"sqlite:///{file.parent}/none/ledger"), 78)
        assert "does not exist" in line
        with locked(data_dir / "up.lock"):
            assert "is in use by `wallet up`" in refused(wallet("restore", str(file), "--replace"), 78)

    @pytest.mark.parametrize("words", ["up", "init", "verify", "config check", "backup file"])
    def test_a_restore_that_was_interrupted_stops_every_other_command(self, wallet, data_dir, file, words):
        """A new ledger in the place of the one that was moved away would be believed."""
        wallet("backup", str(file))
        (data_dir / "ledger.sqlite3").rename(data_dir / "ledger.sqlite3.restoring")
        assert "run `wallet restore` again" in refused(wallet(*words.split()), 78)
        assert not (data_dir / "ledger.sqlite3").exists()
        assert wallet("restore", str(file)).exit_code == 0
        assert wallet("verify").exit_code == 0
