"""Whoever has a wallet of their own and no settings of ours: the command line alone says what to play against."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from seamless_wallet.cli import app
from seamless_wallet.cli.target_options import TargetOptions
from tests.conformance.command_line import hook_of, serving
from tests.conformance.reference_wallet import CURRENCY, KEY, Account, Endpoint, Rules, reference_provider

COMMANDS = ("conformance", "simulate")
FEW = {
    "conformance": (
        *("--only", "bet-takes-its-stake", "--only", "cancel-of-an-*", "--only", "bet-without-a-*"),
        *("--grace-s", "0.2"),
    ),
    "simulate": ("--players", "3", "--rounds", "4", "--seed", "5", "--chaos", "0.4", "--duplicates", "0.3"),
}
"""Words that let a command play a little of everything."""


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty working directory, and no variable of the program."""
    for name in os.environ:
        if name.startswith("WALLET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (tmp_path / "api.key").write_text(KEY + "\n")
    yield tmp_path
    assert not list(here.iterdir())


@pytest.fixture
def rules() -> Rules:
    """A wallet with little grace."""
    return Rules(grace_s=0.2)


@pytest.fixture
def url(rules) -> Iterator[str]:
    """Its webhook."""
    with serving(Endpoint(rules)) as url:
        yield url


def run(*words: str, status: int = 0):
    """A command, and how it ends."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == status, result.output
    assert KEY not in result.output
    return result


def credentials(directory: Path) -> tuple[str, ...]:
    """Those of the reference wallet."""
    return "--api-id", "ref-1", "--api-key-file", str(directory / "api.key"), "--currency", CURRENCY


def refusal(*words: str) -> str:
    """The one line of a usage that is refused."""
    result = run(*words, status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("wallet: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize("command", COMMANDS)
class TestBothCommands:
    def test_have_the_same_options_for_it(self, command):
        """Webhook, credentials, format, players, back office and choices."""
        group = typer.main.get_command(app)
        names = {param.name for param in group.commands[command].params}  # type: ignore[attr-defined]
        assert {field.name for field in fields(TargetOptions)} <= names

    def test_say_that_a_url_needs_credentials(self, command):
        """And not what is wrong with settings that nobody has."""
        said = refusal(command, "https://wallet.example/hook")
        assert said == (
            "wallet: pass --api-id and --api-key-file, or add [providers.<name>] to the settings, "
            "which have no provider\n"
        )

    def test_say_that_the_url_is_missing_too(self, command):
        """Without a word nothing is known."""
        assert "pass the URL of a webhook, --api-id and --api-key-file, or add" in refusal(command)

    def test_say_where_players_may_come_from(self, command, directory):
        """There is no back office of ours."""
        said = refusal(command, "https://wallet.example/hook", *credentials(directory))
        assert "no players to play with; pass --player (twice), --admin-url or --hook" in said

    def test_say_that_a_back_office_needs_its_token(self, command, directory):
        """Settings are not read for it."""
        said = refusal(command, "https://w.example/hook", *credentials(directory), "--admin-url", "http://h:1")
        assert "pass both --admin-url and --admin-token-file, or --hook" in said

    def test_play_with_players_of_a_hook(self, command, directory, url):
        """New players, and money, come from it."""
        words = (*credentials(directory), "--hook", hook_of(directory, url), *FEW[command], "--json")
        report = json.loads(run(command, url, *words).stdout)
        assert report["ok"], report
        if command == "simulate":
            assert set(report["events"]["bet"]) > {"R0", "R4"}
            assert report["not_compared"] == ""
            assert report["url"] == url

    def test_play_with_a_player_who_exists(self, command, directory, rules, url):
        """Without any back office: money is won."""
        rules.accounts["ann"] = Account(CURRENCY, balance=1_234_56)
        words = (*credentials(directory), "--player", "ann", *FEW[command], "--json")
        report = json.loads(run(command, url, *words).stdout)
        assert report["ok"], report
        assert set(rules.accounts) == {"ann"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"cipher": "aes-256-gcm", "reply_body": "json-string"},
            {"api_key": KEY.encode().hex(), "key_encoding": "hex"},
        ],
        ids="-".join,
    )
    def test_play_in_another_envelope(self, command, directory, rules, changes):
        """As the options say."""
        rules.accounts["ann"] = Account(CURRENCY, balance=123_456)
        options = {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        if "--api-key" in options:
            (directory / "api.key").write_text(options.pop("--api-key"))
        words = [word for pair in options.items() for word in pair]
        with serving(Endpoint(rules, reference_provider(**changes))) as url:
            run(command, url, *credentials(directory), "--player", "ann", *FEW[command], *words)

    @pytest.mark.parametrize(
        "choices", [{"session": "off"}, {"cancel_unknown": "r3"}, {"change_overdraw": "reject"}], ids="-".join
    )
    def test_play_against_other_choices(self, command, directory, choices):
        """Of the rows marked (cfg)."""
        rules = Rules(grace_s=0.2, **choices)
        words = [f"--{name.replace('_', '-')}={choice}" for name, choice in choices.items()]
        with serving(Endpoint(rules)) as url:
            hook = hook_of(directory, url)
            run(command, url, *credentials(directory), "--hook", hook, *FEW[command], *words)

    def test_say_that_another_kind_of_server_is_there(self, command, directory, url):
        """Before anything is played."""
        (directory / "api.key").write_text("x" * 32)
        said = refusal(command, url, *credentials(directory), "--player", "ann")
        assert "it knows another Api-Id, Api-Key or cipher" in said

    def test_say_nothing_of_what_a_url_may_hold_beside_the_address(self, command, directory):
        """User, password and query may be secret."""
        secret = "http://user:secret@127.0.0.1:9/hook?token=secret"
        said = refusal(command, secret, *credentials(directory), "--player", "ann")
        assert "http://127.0.0.1:9/hook" in said
        assert "secret" not in said


class TestTheSimulator:
    def test_wins_what_a_player_without_money_needs(self, directory, rules, url):
        """In a round without a stake, as nobody pays it in."""
        rules.accounts["ann"] = Account(CURRENCY)
        told = run("simulate", url, *credentials(directory), "--player", "ann", "--rounds", "2", "--seed", "1").stdout
        assert "every answer was right" in told
        assert "not compared with the balances that the back office shows: needs the back office (balance)" in told

    def test_plays_as_several_players(self, directory, rules, url):
        """All who are given, side by side."""
        for user_id in ("ann", "bob"):
            rules.accounts[user_id] = Account(CURRENCY, balance=5_000_000)
        words = ("--player", "ann", "--player", "bob", "--rounds", "1", "--json", "--seed", "1")
        report = json.loads(run("simulate", url, *credentials(directory), *words).stdout)
        assert (report["players"], report["rounds"]) == ("ann, bob", 2)

    def test_compares_what_the_hook_shows(self, directory, rules, url):
        """A balance that differs at the end is a mismatch; one that cannot be asked for is not compared."""
        words = (*credentials(directory), *FEW["simulate"], "--json")
        wrong = directory / "wrong"
        wrong.write_text(f'#!/bin/sh\n[ "$1" = balance ] && echo 5.00 || exec {hook_of(directory, url)} "$@"\n')
        wrong.chmod(0o755)
        report = json.loads(run("simulate", url, *words, "--hook", str(wrong), status=1).stdout)
        assert {mismatch["what"] for mismatch in report["mismatches"]} == {"state at the end"}
        assert {mismatch["got"] for mismatch in report["mismatches"]} == {"balance 5.00"}
        hook = hook_of(directory, url, cannot="balance")
        report = json.loads(run("simulate", url, *words, "--hook", hook).stdout)
        assert report["not_compared"] == "the hook cannot balance"

    def test_ends_in_a_line_if_a_hook_makes_no_players(self, directory, url):
        """Exit status 1: the command was refused."""
        result = run("simulate", url, *credentials(directory), "--hook", "false", status=1)
        assert result.stderr == "wallet: the hook refused to create (exit status 1): it printed nothing\n"

    @pytest.mark.parametrize(
        ("account", "told"),
        [
            (None, "the login of ann: expected R0 with latest_balance; got R3"),
            (Account(CURRENCY, blocked=True), "the login of ann: expected R0 with latest_balance; got R1"),
        ],
    )
    def test_needs_a_player_who_is_active(self, directory, rules, url, account, told):
        """Found by a login, as there is no back office."""
        if account:
            rules.accounts["ann"] = account
        assert told in refusal("simulate", url, *credentials(directory), "--player", "ann")

    def test_lets_another_wallet_decide_declined_bets_afresh(self, directory):
        """Nobody has promised to remember them."""

        class Forgets(Rules):
            def is_remembered(self, account, command, code):
                return code.value == "R0"

        with serving(Endpoint(Forgets(grace_s=0.2))) as url:
            words = (*credentials(directory), "--hook", hook_of(directory, url), *FEW["simulate"])
            told = run("simulate", url, *words, "--chaos", "0.9").stdout
        assert "declines were decided afresh" in told
