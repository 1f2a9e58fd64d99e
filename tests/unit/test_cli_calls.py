"""The commands that show calls: what a caller wrote is shown, and obeyed by nobody."""

from __future__ import annotations

import csv
import io
import sqlite3

import pytest
from aiohttp import ClientSession

from seamless_wallet.calls.spool import Spool
from seamless_wallet.stores.sqlite_calls.calls_file import connect_calls
from tests.call_history import NOW_MS, call_record, encode_batch
from tests.unit.test_cli import data_dir, fake, refused, service, wallet  # noqa: F401 - fixtures

OBEYED = "\x1b]0;owned\x07\x9b2J\u202e"
OBEYED_CHARACTERS = set("\x1b\x07\x9b\u202e")
HOSTILE = f"t{OBEYED}\ncode: R0"
CALLS = "ledger.sqlite3.calls"


@pytest.fixture
def history(wallet, data_dir):  # noqa: F811
    """One call that was not valid, whose ids and texts a terminal would obey."""
    wallet("init")
    text = f'{{"a":"{HOSTILE}"}}'.encode()
    hostile = call_record(
        code="R3", reason="id", user_id=HOSTILE, transaction_id=HOSTILE, game_no=HOSTILE, request=text, reply=text
    )
    leave(data_dir, hostile)
    connect_calls(data_dir / f"{CALLS}.db").close()
    return data_dir


def leave(data_dir, call):  # noqa: F811
    """As a worker does."""
    Spool(data_dir / CALLS, "a").write(encode_batch([call]), call.received_ms)


def hold(data_dir):  # noqa: F811
    """Somebody who writes the history, until he is closed."""
    connection = sqlite3.connect(data_dir / f"{CALLS}.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


@pytest.mark.parametrize("words", [("calls", "list"), ("calls", "show", str(NOW_MS << 20)), ("explain", HOSTILE)])
def test_a_caller_writes_nothing_that_a_terminal_obeys(wallet, history, words):  # noqa: F811
    """Nor a line that looks like one of ours."""
    told = wallet(*words)
    assert told.exit_code == 0, told.output
    assert r"\x1b]0;owned\x07\x9b2J\u202e\ncode: R0" in "".join(told.stdout.split("\n"))
    assert not OBEYED_CHARACTERS & set(told.output)
    assert "\ncode: R0" not in told.stdout


def test_the_key_of_a_call_is_explained(wallet, history):  # noqa: F811
    """It names a setting of the provider, and never the key itself."""
    assert "key:            current\n" in wallet("calls", "show", str(NOW_MS << 20)).stdout
    told = " ".join(wallet("calls", "show", "--help").stdout.split())
    assert "`current` is api_key and `previous` is previous_api_key" in told


def test_an_error_shows_what_was_asked_for_and_is_not_obeyed(wallet, history):  # noqa: F811
    """A player's id, copied from somewhere."""
    assert not OBEYED_CHARACTERS & set(refused(wallet("entries", OBEYED), 1))


@pytest.mark.parametrize(
    "call_id", ["9" * 20, "9" * 5000, "-1", "\N{ARABIC-INDIC DIGIT THREE}", "x"], ids=["19", "5000", "-", "3", "x"]
)
def test_an_id_that_no_call_has_is_wrong_usage(wallet, history, call_id):  # noqa: F811
    """However long it is; `explain` takes any text."""
    told = wallet("calls", "show", "--", call_id)
    assert (told.exit_code, type(told.exception)) == (2, SystemExit)
    assert "is not the id of a call" in told.stderr
    assert "no call with the id" in refused(wallet("explain", "--", call_id), 1)


def test_what_cannot_be_collected_is_said_and_the_rest_is_shown(wallet, history, monkeypatch):  # noqa: F811
    """Somebody writes for long, or the disk is full."""
    monkeypatch.setattr("seamless_wallet.stores.sqlite.side_file.BUSY_TIMEOUT_MS", 10)
    assert wallet("calls", "list").exit_code == 0
    leave(history, call_record(transaction_id="newer"))
    held = hold(history)
    try:
        told = wallet("calls", "list")
        assert (told.exit_code, "R3" in told.stdout, "newer" in told.stdout) == (0, True, False)
        assert "newest calls may be missing" in told.stderr
        assert "locked" in told.stderr
    finally:
        held.close()
    told = wallet("calls", "list")
    assert ("newer" in told.stdout, told.stderr) == (True, "")


def test_an_export_is_one_table_however_many_pages_it_has(wallet, history, monkeypatch):  # noqa: F811
    """What is read is written at once, and forgotten."""
    monkeypatch.setattr("seamless_wallet.cli.calls.PAGE", 1)
    leave(history, call_record(transaction_id="newer", received_ms=NOW_MS + 1))
    told = wallet("calls", "export", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(told.stdout)))
    assert [row["transaction_id"] for row in table] == ["newer", HOSTILE]
    assert len(wallet("calls", "export", "--limit", "1").stdout.splitlines()) == 1
    assert wallet("calls", "export", "--player", "nobody", "--format", "csv").stdout.startswith("id,time,")


def test_whoever_acts_may_say_why(wallet, fake, service, monkeypatch):  # noqa: F811
    """For the audit log."""
    fake.create("ann")
    reasons: list[str | None] = []
    send = ClientSession._request

    async def seen(self, *words, **options):
        reasons.append(self.headers.get("Audit-Reason"))
        return await send(self, *words, **options)

    monkeypatch.setattr(ClientSession, "_request", seen)
    why = "--reason", "Zahlung 7,\ngeprüft"
    for words in (
        ("player", "create", "bob", "KRW"),
        ("player", "deposit", "ann", "5.00"),
        ("player", "withdraw", "ann", "1.00"),
        ("player", "block", "ann"),
        ("player", "unblock", "ann"),
        ("calls", "acknowledge", "17"),
        ("calls", "erase", "ann", "--yes"),
    ):
        told = wallet(*words, *why)
        assert told.exit_code == 0, told.output
    assert reasons == 7 * ["Zahlung 7, geprüft"]
    assert wallet("player", "show", "ann").exit_code == 0
    assert reasons[-1] is None
