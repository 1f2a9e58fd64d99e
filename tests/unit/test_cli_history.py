"""The commands that show what the ledger holds of players."""

from __future__ import annotations

import json

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.stores.sqlite import SqliteLedger
from tests.store.books import START_MS, Book
from tests.unit.test_cli import data_dir, refused, wallet  # noqa: F401 - fixtures

SHARDS = 16


@pytest.fixture
async def book(wallet, data_dir):  # noqa: F811
    """A player with a day behind him."""
    wallet("init")
    book = Book(0, SHARDS)
    book.create()
    book.deposit(10_000)
    book.now_ms = START_MS + 3_600_000
    book.bet("g1", a=100, b=200)
    book.result("g1", a=(100, 95))
    book.cancel("g2", c=7)
    book.post(book.command(Kind.STATUS, status="blocked"))
    async with SqliteLedger.open(data_dir / "ledger.sqlite3") as ledger:
        ledger.acquire_lease()
        await ledger.take_over("n", range(SHARDS), 0)
        await ledger.open_epoch(0, 0, 1, "run", "repl", "")
        await ledger.commit([book.take()])
    return book


def told(result):
    """What a command answers with --json."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class TestEntries:
    def test_are_shown_newest_first(self, wallet, book):  # noqa: F811
        found = told(wallet("entries", book.user, "--json"))
        assert [row["kind"] for row in found] == ["status", "cancel", "result", "bet", "deposit", "create"]
        assert [row["seq"] for row in told(wallet("entries", book.user, "--json", "--before", "3"))] == [2, 1]
        shown = wallet("entries", book.user, "--limit", "4").stdout.splitlines()
        assert len(shown) == 5
        assert "a: 1.00 applied, b: 2.00 applied" in shown[-1]

    def test_are_a_line_each_where_no_terminal_is(self, wallet, book):  # noqa: F811
        """For `grep` and `awk`, whatever the terminal has from which they are started."""
        shown = wallet("entries", book.user, COLUMNS="20").stdout.splitlines()
        assert len(shown) == 1 + 6
        assert all("2023-11-14T" in line for line in shown[1:])

    def test_of_a_time(self, wallet, book):  # noqa: F811
        times = "--from", "2023-11-14T22:13:20Z", "--to", "2023-11-14T23:00:00"
        assert [row["kind"] for row in told(wallet("entries", book.user, *times, "--json"))] == ["deposit", "create"]
        assert wallet("entries", book.user, "--from", "2024-01-01").stdout == "nothing found\n"
        assert wallet("entries", book.user, "--from", "soon").exit_code == 2

    def test_of_nobody(self, wallet, book):  # noqa: F811
        assert refused(wallet("entries", "nobody"), 1) == "wallet: there is no player nobody\n"


class TestEvent:
    def test_is_shown_with_what_it_did(self, wallet, book):  # noqa: F811
        bet = next(row for row in told(wallet("entries", book.user, "--json")) if row["kind"] == "bet")
        words = "event", bet["provider"], book.user, bet["transaction_id"]
        assert told(wallet(*words, "--json")) == bet
        shown = wallet(*words).stdout
        assert "a: 1.00 applied, b: 2.00 applied" in shown
        assert bet["transaction_id"] in shown

    def test_that_is_not_there(self, wallet, book):  # noqa: F811
        said = f"wallet: there is no event t-none of the provider dowinn for {book.user}\n"
        assert refused(wallet("event", "dowinn", book.user, "t-none"), 1) == said
        assert refused(wallet("event", "dowinn", "nobody", "t"), 1) == "wallet: there is no player nobody\n"


class TestRounds:
    def test_are_shown_with_their_bets(self, wallet, book):  # noqa: F811
        found = told(wallet("rounds", book.user, "--json"))
        assert [(row["game_no"], [bet["state"] for bet in row["bets"]]) for row in found] == [
            ("g2", ["tombstone"]),
            ("g1", ["settled", "open"]),
        ]
        assert len(wallet("rounds", book.user).stdout.splitlines()) == 4

    def test_or_only_open_bets(self, wallet, book):  # noqa: F811
        (found,) = told(wallet("rounds", book.user, "--open", "--json"))
        assert [(bet["bet_index"], bet["stake"]) for bet in found["bets"]] == [("b", "2.00")]


class TestPlayers:
    def test_are_listed(self, wallet, book):  # noqa: F811
        (found,) = told(wallet("player", "list", "--json"))
        assert (found["user_id"], found["status"]) == (book.user, "blocked")
        for words in (["--status", "active"], ["--owing"], ["--prefix", "x"], ["--after", book.user]):
            assert told(wallet("player", "list", "--json", *words)) == []
        assert book.user in wallet("player", "list", "--prefix", "user", "--status", "blocked").stdout

    def test_balance_as_of_a_time(self, wallet, book):  # noqa: F811
        found = told(wallet("player", "balance", book.user, "--at", "2023-11-14T22:30:00Z", "--json"))
        assert (found["balance"], found["debt"], found["seq"]) == ("100.00", "0.00", 2)
        assert "98.95" in wallet("player", "balance", book.user, "--at", "2024-01-01").stdout
        assert "was not there yet" in refused(wallet("player", "balance", book.user, "--at", "2020-01-01"), 1)
