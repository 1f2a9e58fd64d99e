"""`wallet conformance` as an operator uses it, against the reference wallet."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from typer.testing import CliRunner

from seamless_wallet import __version__
from seamless_wallet.cli import app
from seamless_wallet.cli.conformance import _announce_waits
from seamless_wallet.clients.target import Target
from seamless_wallet.conformance import all_cases
from tests.conformance.broken import FaultForStrangers, FixedAnswer, GrossWinloss, LastOfTwoKeysWins
from tests.conformance.command_line import hook_of, serving
from tests.conformance.reference_wallet import CURRENCY, KEY, Account, Endpoint, Rules, reference_provider


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch) -> Path:
    """A directory of its own, with the key and a hook, and no settings."""
    for name in os.environ:
        if name.startswith("WALLET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WALLET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "api.key").write_text(KEY + "\n")
    return tmp_path


@pytest.fixture
def rules() -> Rules:
    """A wallet that knows Ann."""
    rules = Rules()
    rules.accounts["ann"] = Account(CURRENCY, balance=100_000)
    return rules


@pytest.fixture
def url(rules) -> Iterator[str]:
    """The webhook of that wallet."""
    with serving(Endpoint(rules)) as url:
        yield url


@pytest.fixture
def conformance(directory):
    """Run the command with the credentials and these words."""

    def run(*words: str, status: int = 0):
        key = ("--api-id", "ref-1", "--api-key-file", str(directory / "api.key"))
        result = CliRunner().invoke(app, ["conformance", *key, "--currency", CURRENCY, "--grace-s", "1", *words])
        assert result.exit_code == status, result.output
        assert KEY not in result.output
        return result

    return run


def line(result) -> str:
    """The one line on stderr."""
    assert result.stdout == ""
    assert result.stderr.startswith("wallet: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


class TestReports:
    def test_json_has_every_case_and_a_summary(self, conformance, url):
        """With what was run, and how."""
        report = json.loads(conformance(url, "--player", "ann", "--only", "bet-*", "--only", "row:32", "--json").stdout)
        assert report["version"] == __version__
        assert (report["level"], report["ok"]) == ("must", True)
        assert report["target"] == {
            "url": url,
            "profile": "dowinn-v3",
            "reply_body": "bare",
            "currency": CURRENCY,
            "scale": 2,
        }
        assert report["options"] == {
            "session": "required",
            "cancel_unknown": "tombstone",
            "change_overdraw": "debt",
            "bet_age_max_s": 0,
            "grace_s": 1.0,
            "body_bytes_max": 4 * 2**20,
            "players": ["ann"],
            "back_office": "none",
            "timeout_s": 10.0,
            "only": ["bet-*", "row:32"],
            "concurrency": 8,
            "fail_fast": False,
            "strict": False,
        }
        (found,) = [case for case in report["cases"] if case["name"] == "bet-takes-its-stake"]
        assert 0 < found.pop("duration_s") < report["duration_s"]
        assert found == {
            "name": "bet-takes-its-stake",
            "row": "30",
            "phase": "2 bets and cancels",
            "level": "must",
            "status": "pass",
            "detail": "",
        }
        statuses = [case["status"] for case in report["cases"]]
        for status in ("pass", "fail", "skip"):
            assert report["summary"][status] == statuses.count(status)
        assert statuses.count("fail") == 0
        assert statuses.count("skip") > 2

    def test_a_table_shows_phases_and_failures_only(self, conformance, directory):
        """What failed is told with what was expected, what came and what was sent."""
        rules = GrossWinloss()
        rules.accounts["ann"] = Account(CURRENCY, balance=1_000_000)
        with serving(Endpoint(rules)) as url:
            words = (
                url,
                "--player",
                "ann",
                "--only",
                "row:50",
                "--only",
                "row:20",
                "--junit",
                str(directory / "x.xml"),
            )
            shown = conformance(*words, status=1).stdout
        assert "3 results and changes" in shown
        assert "FAIL  win-credits-stake-and-winloss (row 50, must)" in shown
        assert "latest_balance 10082.66" in shown
        assert '"event_type":"bet_result"' in shown
        assert "login-tells-the-balance" not in shown
        root = ET.parse(directory / "x.xml").getroot()  # noqa: S314 - written just now
        assert int(root.attrib["failures"]) == len(root.findall(".//failure")) > 1
        assert int(root.attrib["skipped"]) == len(root.findall(".//skipped")) > 1
        assert int(root.attrib["tests"]) == len(root.findall(".//testcase"))
        (found,) = root.findall(".//testcase[@name='win-credits-stake-and-winloss']")
        assert found.attrib["classname"] == "row 50"

    def test_only_what_counts_fails_the_run(self, conformance, rules):
        """A wallet that is lax is told so, and passes at level must."""
        with serving(LastOfTwoKeysWins(rules)) as url:
            words = (url, "--player", "ann", "--only", "keys-that-are-there-twice", "--only", "bet-takes-its-stake")
            shown = conformance(*words).stdout
            assert "fail  keys-that-are-there-twice (row 11, should)" in shown
            assert "1 passed, 1 failed, 0 skipped" in shown
            shown = conformance(*words, "--level", "should", status=1).stdout
            assert "FAIL  keys-that-are-there-twice (row 11, should)" in shown

    def test_a_run_can_end_with_the_first_failure(self, conformance, rules):
        """Only with one that counts. What is not played is skipped, and says why."""
        with serving(LastOfTwoKeysWins(rules)) as url:
            words = (url, "--player", "ann", "--only", "row:11", "--fail-fast", "--json")
            statuses = [case["status"] for case in json.loads(conformance(*words).stdout)["cases"]]
            assert statuses.count("skip") == 0
            cases = json.loads(conformance(*words, "--level", "should", status=1).stdout)["cases"]
        statuses = [case["status"] for case in cases]
        last = statuses.index("fail")
        assert cases[last]["name"] == "keys-that-are-there-twice"
        assert set(statuses[last + 1 :]) == {"skip"}
        assert cases[-1]["detail"] == "not played: keys-that-are-there-twice has ended the run"

    def test_times_of_junit_add_up_to_the_run(self, conformance, url, directory):
        """Though cases play at the same time."""
        junit = directory / "report.xml"
        hook = hook_of(directory, url)
        words = (url, "--hook", hook, "--only", "row:30", "--only", "row:50", "--json", "--junit", str(junit))
        report = json.loads(conformance(*words).stdout)
        root = ET.parse(junit).getroot()  # noqa: S314 - written just now
        for kind in ("testsuites", "testsuite", "testcase"):
            total_s = sum(float(each.attrib["time"]) for each in root.iter(kind))
            assert total_s == pytest.approx(report["duration_s"], abs=1e-3), kind
        assert sum(case["duration_s"] for case in report["cases"]) > report["duration_s"]

    def test_verbose_shows_every_case(self, conformance, url):
        """With what it expects."""
        shown = conformance(url, "--player", "ann", "--only", "login-tells-the-balance", "-v").stdout
        assert "pass  login-tells-the-balance (row 20, must): A known player logs in" in shown

    @pytest.mark.parametrize(("players", "said"), [(("ann",), "Up to 14 cases wait"), ((), "")])
    def test_a_wait_is_announced(self, capsys, players, said):
        """Given players serve one case after the other; with new ones nobody waits long."""
        target = Target(provider=reference_provider(), url="http://h", currency=CURRENCY, given_players=players)
        _announce_waits(target, all_cases(), Console(stderr=True, width=200))
        shown = capsys.readouterr().err
        assert said in shown
        assert ("140 s in all" in shown) is bool(said)

    def test_the_list_needs_no_wallet(self):
        """All names and rows."""
        result = CliRunner().invoke(app, ["conformance", "--list"])
        assert result.exit_code == 0
        for case in all_cases():
            assert re.search(rf"^{case.name} +{case.level.value} +{case.row} ", result.stdout, re.MULTILINE)

    def test_skipped_cases_fail_when_strict(self, conformance, url):
        """With the reason, and if their level counts; without --strict they are no failure."""
        words = (url, "--player", "ann", "--only", "blocked-player-cannot-bet")
        shown = conformance(*words).stdout
        assert "needs the back office (block): pass --admin-url or --hook" in shown
        conformance(*words, "--strict")
        conformance(*words, "--strict", "--level", "should", status=1)


class TestTheHook:
    def test_makes_players_and_moves_their_money(self, conformance, url, directory):
        """Players, deposits, withdrawals, blocks and balances come from a command."""
        only = ("row:22", "row:71", "row:72", "deposit-and-*", "change-after-a-withdrawal", "alike-players-have-*")
        words = [word for pattern in only for word in ("--only", pattern)]
        report = json.loads(conformance(url, "--hook", hook_of(directory, url), *words, "--strict", "--json").stdout)
        assert report["summary"]["pass"] == 7

    def test_that_has_no_such_action_skips_the_case(self, conformance, url, directory):
        """Exit status 69."""
        words = (url, "--hook", hook_of(directory, url, "block"), "--only", "row:22", "--json")
        (case,) = json.loads(conformance(*words).stdout)["cases"]
        assert (case["status"], case["detail"]) == ("skip", "the hook cannot block")

    @pytest.mark.parametrize(
        ("hook", "told"),
        [
            ("/does/not/exist at-all", "no such program"),
            ("' '", "no such program"),
            ("{directory}/api.key", "not executable"),
            ("{directory}/no-program", "does not run"),
            ("false", "refused to create (exit status 1): it printed nothing"),
            ("sh -c 'echo no money; echo none >&2; exit 3'", "refused to create (exit status 3): none; no money"),
            ("sh -c 'exit 69'", "the hook cannot create, and every case needs it: pass --player with existing players"),
        ],
    )
    def test_that_makes_no_player_ends_the_run(self, conformance, url, directory, hook, told):
        """Before the first case, with what it said on stdout and stderr."""
        (directory / "no-program").write_bytes(b"\x7fELF")
        (directory / "no-program").chmod(0o755)
        assert told in line(conformance(url, "--hook", hook.format(directory=directory), status=2))

    def test_that_cannot_be_run_is_told_to_given_players_too(self, conformance, url):
        """What it refuses is for the cases."""
        assert "no such program" in line(conformance(url, "--player", "ann", "--hook", "/does/not/exist", status=2))
        conformance(url, "--player", "ann", "--hook", "false", "--only", "login-tells-the-balance")

    def test_of_another_wallet_is_told_from_that_of_this_one(self, conformance, url):
        """It makes players whom the webhook does not know."""
        said = line(conformance(url, "--hook", "true", status=2))
        assert "the login of conf-" in said
        assert "is answered R3: it knows no such player" in said


class TestRefusals:
    def test_nothing_listens(self, conformance):
        """One line, at once, exit status 2."""
        assert "connection refused" in line(conformance("http://127.0.0.1:9/webhook/x", "--player", "a", status=2))

    def test_the_wallet_knows_another_key(self, conformance, url, directory):
        """A plain R2 is told as what it means."""
        (directory / "api.key").write_text("x" * 32)
        assert "another Api-Id, Api-Key or cipher" in line(conformance(url, "--player", "ann", status=2))

    def test_the_wallet_knows_another_api_id(self, conformance, url):
        """So is a sealed one."""
        assert "another Api-Id" in line(conformance(url, "--api-id", "nobody", "--player", "ann", status=2))

    def test_the_wallet_has_another_cipher(self, conformance, url):
        """Its answers do not open, though it knows the key."""
        said = line(conformance(url, "--player", "ann", "--cipher", "aes-256-gcm", status=2))
        assert "knows the Api-Key, but its answer does not open with it: it has another cipher" in said

    @pytest.mark.parametrize(
        ("status", "body", "told"),
        [
            (404, b"<h1>\x1b[31mNothing\n</h1>", "answers HTTP 404"),
            (503, b"", "answers HTTP 503"),
            (200, b"{}", "does not open with the key; check the URL"),
            (200, b'{"code":"R2"}', "another Api-Id, Api-Key or cipher"),
            (200, reference_provider().seal(b"[1]", reference_provider().keys[0]), "opens to no reply"),
        ],
    )
    def test_something_else_is_there(self, conformance, status, body, told):
        """No webhook, or another one: one line, and no case is played."""
        with serving(FixedAnswer(status, body)) as url:
            said = line(conformance(url, "--player", "ann", status=2))
        assert told in said
        assert "\x1b" not in said

    def test_a_wallet_that_is_wrong_about_strangers_is_played(self, conformance, rules):
        """Only what goes wrong for a player who is known, too, ends a run."""
        with serving(FaultForStrangers(rules)) as url:
            words = (url, "--player", "ann", "--only", "events-of-an-*", "--only", "login-tells-the-balance")
            shown = conformance(*words, status=1).stdout
        assert "HTTP 500" in shown
        assert "1 passed, 1 failed" in shown

    def test_a_player_who_is_not_there(self, conformance, url):
        """Each is asked for once, and named."""
        said = line(conformance(url, "--player", "ann", "--player", "bob", status=2))
        assert "the login of bob is answered R3: it knows no such player" in said

    def test_a_player_who_is_blocked(self, conformance, rules, url):
        """Nothing could be played."""
        rules.accounts["ann"].blocked = True
        assert "login of ann is answered R1: is the player blocked?" in line(
            conformance(url, "--player", "ann", status=2)
        )

    @pytest.mark.parametrize("place", ["missing/report.xml", ""])
    def test_a_report_that_cannot_be_written(self, conformance, directory, place):
        """It is told before anything is asked."""
        said = line(conformance("http://127.0.0.1:9/w", "--player", "ann", "--junit", str(directory / place), status=2))
        assert f"--junit: {directory / place} cannot be written" in said

    def test_a_run_that_does_not_begin_leaves_no_report(self, conformance, directory):
        """An empty file would be read as one."""
        conformance("http://127.0.0.1:9/w", "--player", "ann", "--junit", str(directory / "x.xml"), status=2)
        assert not (directory / "x.xml").exists()

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["http://h/w"], "--player (twice), --admin-url or --hook"),
            (["nonsense", "--player", "ann"], "'nonsense' is not the http:// URL"),
            (["http://h/w", "--player", "ann", "--only", "nonsense"], "--only nonsense"),
            (["http://h/w", "--player", "ann", "--profile", "x"], "unknown profile 'x'"),
            (["http://h/w", "--player", "ann", "--cipher", "rot13"], "unknown cipher 'rot13'"),
            (["http://h/w", "--player", "ann", "--key-encoding", "hex"], "hex"),
            (["http://h/w", "--hook", "x", "--admin-url", "http://h"], "either --hook or --admin-url, not both"),
            (["http://h/w", "--hook", "'"], "--hook"),
            (["http://h/w", "--player", "ann", "--player", "ann"], "the same player twice"),
        ],
    )
    def test_what_is_missing_or_wrong(self, conformance, words, told):
        """One line that says so, exit status 2."""
        assert told in line(conformance(*words, status=2))

    @pytest.mark.parametrize("option", ["--cipher=aes-256-gcm", "--scale=0", "--key-encoding=hex"])
    def test_options_of_an_account_that_the_settings_describe(self, option):
        """They would be overlooked."""
        done = CliRunner().invoke(app, ["conformance", option])
        assert done.exit_code == 2
        told = "cannot change a provider of the settings; pass --api-id and --api-key-file as well"
        assert f"{option.partition('=')[0]} {told}" in line(done)

    def test_credentials_without_an_address(self, conformance):
        """The settings say nothing of that wallet."""
        assert "pass its URL as well" in line(conformance("--player", "ann", status=2))

    @pytest.mark.parametrize(
        ("path", "told"), [("http://127.0.0.1:9", "no back office at"), ("{url}", "is no back office")]
    )
    def test_no_back_office(self, conformance, url, directory, path, told):
        """It is told once, and not by every case."""
        token = str(directory / "api.key")
        words = (url, "--admin-url", path.format(url=url), "--admin-token-file", token)
        assert told in line(conformance(*words, status=2))

    def test_half_of_the_credentials(self, url):
        """Both, or those of the settings."""
        result = CliRunner().invoke(app, ["conformance", url, "--api-id", "x", "--player", "ann"])
        assert result.exit_code == 2
        assert "both --api-id and --api-key-file" in line(result)

    def test_a_wrong_choice_is_a_wrong_usage(self, conformance):
        """The command line says what there is."""
        assert "required" in conformance("http://h/w", "--session", "maybe", status=2).stderr
