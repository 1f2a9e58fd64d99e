"""`wallet conformance` as an operator uses it, against the reference wallet."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.conformance import all_cases
from tests.conformance.broken import GrossWinloss
from tests.conformance.reference_wallet import CURRENCY, KEY, Account, Endpoint, Rules

HOOK = """\
import json, sys, urllib.error, urllib.request
url, cannot, action, user, *rest = sys.argv[1:]
if action == cannot:
    sys.exit(69)
asked = {"action": action, "user_id": user, "currency": rest[-1] if rest else "", "amount": rest[0] if rest[1:] else ""}
try:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(asked).encode(), method="POST")) as reply:
        print(reply.read().decode())
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
"""


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[str]:
    """Its URL, served by a thread."""
    started, loop, urls = threading.Event(), asyncio.new_event_loop(), []
    ended = asyncio.Event()

    async def serve() -> None:
        async with endpoint.serving() as url:
            urls.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


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
    (tmp_path / "hook.py").write_text(HOOK)
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
        """Name, row, status and detail, and nothing else."""
        report = json.loads(conformance(url, "--player", "ann", "--only", "bet-*", "--only", "row:32", "--json").stdout)
        assert set(report) == {"cases", "summary"}
        for case in report["cases"]:
            assert set(case) == {"name", "row", "status", "detail"}
        assert {"name": "bet-takes-its-stake", "row": "30", "status": "pass", "detail": ""} in report["cases"]
        statuses = [case["status"] for case in report["cases"]]
        assert report["summary"] == {status: statuses.count(status) for status in ("pass", "fail", "skip")}
        assert statuses.count("fail") == 0
        assert statuses.count("skip") > 2

    def test_a_table_shows_phases_and_failures_only(self, conformance, directory):
        """What failed is told with what was expected, what came and what was sent."""
        rules = GrossWinloss()
        rules.accounts["ann"] = Account(CURRENCY, balance=100_000)
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
        assert "FAIL  win-credits-stake-and-winloss (row 50)" in shown
        assert "latest_balance 1095.00" in shown
        assert '"event_type":"bet_result"' in shown
        assert "login-tells-the-balance" not in shown
        root = ET.parse(directory / "x.xml").getroot()  # noqa: S314 - written just now
        assert int(root.attrib["failures"]) == len(root.findall(".//failure")) > 1
        assert int(root.attrib["skipped"]) == len(root.findall(".//skipped")) > 1
        assert int(root.attrib["tests"]) == len(root.findall(".//testcase"))
        (found,) = root.findall(".//testcase[@name='win-credits-stake-and-winloss']")
        assert found.attrib["classname"] == "row 50"

    def test_verbose_shows_every_case(self, conformance, url):
        """With what it expects."""
        shown = conformance(url, "--player", "ann", "--only", "login-tells-the-balance", "-v").stdout
        assert "pass  login-tells-the-balance (row 20): A known player logs in" in shown

    def test_the_list_needs_no_wallet(self):
        """All names and rows."""
        result = CliRunner().invoke(app, ["conformance", "--list"])
        assert result.exit_code == 0
        for case in all_cases():
            assert case.name in result.stdout

    def test_skipped_cases_fail_when_strict(self, conformance, url):
        """With the reason; without --strict they are no failure."""
        words = (url, "--player", "ann", "--only", "blocked-player-cannot-bet")
        shown = conformance(*words).stdout
        assert "needs the cash desk or back office (block): say --admin-url or --hook" in shown
        conformance(*words, "--strict", status=1)


class TestTheHook:
    def hook(self, directory: Path, url: str, cannot: str = "-") -> str:
        return f"{sys.executable} '{directory / 'hook.py'}' {url.replace('/webhook/ref', '/desk')} {cannot}"

    def test_makes_players_and_moves_their_money(self, conformance, url, directory):
        """Players, deposits, withdrawals, blocks and balances come from a command."""
        only = ("row:22", "row:71", "row:72", "deposit-and-*", "change-after-a-withdrawal", "alike-players-have-*")
        words = [word for pattern in only for word in ("--only", pattern)]
        report = json.loads(conformance(url, "--hook", self.hook(directory, url), *words, "--strict", "--json").stdout)
        assert report["summary"]["pass"] == 7

    def test_that_has_no_such_action_skips_the_case(self, conformance, url, directory):
        """Exit status 69."""
        words = (url, "--hook", self.hook(directory, url, "block"), "--only", "row:22", "--json")
        (case,) = json.loads(conformance(*words).stdout)["cases"]
        assert (case["status"], case["detail"]) == ("skip", "the hook cannot block")

    @pytest.mark.parametrize(
        ("hook", "told"), [("/does/not/exist", "does not run"), ("false", "refused to create (exit status 1)")]
    )
    def test_that_fails_is_a_failure(self, conformance, url, hook, told):
        """A player who cannot be made is no pass."""
        (case,) = json.loads(conformance(url, "--hook", hook, "--only", "row:22", "--json", status=1).stdout)["cases"]
        assert case["status"] == "fail"
        assert told in case["detail"]


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

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["http://h/w"], "--player (twice), --admin-url or --hook"),
            (["nonsense", "--player", "ann"], "'nonsense' is not the http:// URL"),
            (["http://h/w", "--player", "ann", "--only", "nonsense"], "--only nonsense"),
            (["http://h/w", "--player", "ann", "--profile", "x"], "unknown profile 'x'"),
            (["http://h/w", "--player", "ann", "--cipher", "rot13"], "unknown cipher 'rot13'"),
            (["http://h/w", "--player", "ann", "--key-encoding", "hex"], "hex"),
            (["http://h/w", "--hook", "x", "--admin-url", "http://h"], "exclude each other"),
            (["http://h/w", "--hook", "'"], "--hook"),
        ],
    )
    def test_what_is_missing_or_wrong(self, conformance, words, told):
        """One line that says so, exit status 2."""
        assert told in line(conformance(*words, status=2))

    def test_credentials_without_an_address(self, conformance):
        """Whose they are, nobody knows."""
        assert "say its URL, too" in line(conformance("--player", "ann", status=2))

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
