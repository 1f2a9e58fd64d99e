"""Files of players: what is read of them, what is not, and `wallet player import` before a back office."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seamless_wallet.clients.admin_api import AdminClient, AdminUnreachable, Imported, NewPlayer
from seamless_wallet.clients.player_files import PLAYER_LINE_CHARS_MAX, PlayerFile, PlayerFileError
from seamless_wallet.clients.player_import import PLAYERS_SENT_MAX, PlayerImport


def read(path: Path, content: bytes) -> list[tuple[int, str]]:
    """Number of each line, and its player or what is wrong with it."""
    path.write_bytes(content)
    with PlayerFile(path) as file:
        assert file.size == len(content)
        found = [(line.number, line.player or line.wrong) for line in file.lines()]
        assert file.bytes_read == len(content)
    return [(number, " ".join(vars_of(said))) for number, said in found]


def vars_of(said: NewPlayer | str) -> list[str]:
    """The texts of a line."""
    return [said] if isinstance(said, str) else [said.user_id, said.currency, said.balance]


def test_csv(tmp_path):
    """Columns by the first line, whatever their order; numbers are those of an editor."""
    content = (
        "\ufeffcurrency,user_id,balance\r\n"
        'KRW,ann,10.00\r\n\r\nKRW,bob,\r\nKRW,"a ""b"", c",1\r\nKRW,cat\r\nKRW,"d"x,1\r\nKRW,eve,2\r\n'
    ).encode() + b"KRW,\xff,1\r\n"
    assert read(tmp_path / "a.csv", content) == [
        (2, "ann KRW 10.00"),
        (4, "bob KRW 0"),
        (5, 'a "b", c KRW 1'),
        (6, "has another number of columns than the first line"),
        (7, "not CSV: ',' expected after '\"'"),
        (8, "eve KRW 2"),
        (9, "not UTF-8"),
    ]


def test_a_quote_that_is_not_closed_costs_its_own_line(tmp_path):
    """It is told where it was opened, whatever quotes come later; none of a record over two lines is a player."""
    lines = ["user_id,currency", '"ann,KRW', "bob,KRW", '"cat, jr",KRW', '"d', 'e",KRW', "eve,KRW", 'fay,"KRW']
    unclosed = "a quote is not closed in this line"
    assert read(tmp_path / "a.csv", "\n".join(lines).encode()) == [
        (2, unclosed),
        (3, "bob KRW 0"),
        (4, "cat, jr KRW 0"),
        (5, unclosed),
        (6, unclosed),
        (7, "eve KRW 0"),
        (8, unclosed),
    ]


def test_a_line_of_csv_is_bounded(tmp_path):
    """As one of JSON: what is longer is passed over, and not kept in memory."""
    content = f"user_id,currency\n{'x' * 3 * PLAYER_LINE_CHARS_MAX},KRW\nann,KRW\n".encode()
    too_long = f"longer than {PLAYER_LINE_CHARS_MAX} characters"
    assert read(tmp_path / "a.csv", content) == [(2, too_long), (3, "ann KRW 0")]
    assert read(tmp_path / "b.csv", content.replace(b"\n", b"\r")) == [(2, too_long), (3, "ann KRW 0")]


def test_json_lines(tmp_path):
    """An object a line; a number for an amount is refused, and so is what it has besides."""
    lines = [
        b'{"user_id": "ann", "currency": "KRW", "balance": "10.00"}',
        b"",
        b'{"user_id": "bob", "currency": "KRW"}',
        b'{"user_id": "c", "currency": "KRW", "balance": 1.5}',
        b'{"user_id": "d", "currency": "KRW", "vip": true}',
        b'{"user_id": "\xff"}',
        b"x" * (2 * PLAYER_LINE_CHARS_MAX),
        b'{"user_id": "e", "currency": "KRW"}',
        b'{"f"',
    ]
    found = read(tmp_path / "a.jsonl", b"\n".join(lines))
    assert found == [
        (1, "ann KRW 10.00"),
        (3, "bob KRW 0"),
        (4, "Expected `str`, got `float` - at `$.balance`"),
        (5, "Object contains unknown field `vip`"),
        (6, "not UTF-8"),
        (7, f"longer than {PLAYER_LINE_CHARS_MAX} characters"),
        (8, "e KRW 0"),
        (9, "not a JSON object"),
    ]


def test_a_file_of_something_else_is_refused_at_once(tmp_path):
    """Nothing of it is sent."""
    (tmp_path / "a.txt").write_text("ann")
    (tmp_path / "a.csv").write_text("user,currency\nann,KRW\n")
    for name, said in (("a.txt", "pass --format"), ("none.csv", "cannot read"), ("a.csv", "must name the columns")):
        with pytest.raises(PlayerFileError, match=said), PlayerFile(tmp_path / name) as file:
            list(file.lines())


class FakeAdmin(AdminClient):
    """Takes players in memory. `unknown`: how often the outcome of the first batches is unknown."""

    def __init__(self, unknown: int = 0) -> None:
        self.taken: dict[str, str] = {}
        self.sizes: list[int] = []
        self.unknown = unknown

    async def import_players(self, players):
        self.sizes.append(len(players))
        if self.unknown:
            self.unknown -= 1
            return [Imported("unknown", "outcome-unknown", "repeat")] * len(players)
        return [self._take(player) for player in players]

    def _take(self, player: NewPlayer) -> Imported:
        had = self.taken.setdefault(player.user_id, player.balance)
        if had != player.balance:
            return Imported("refused", "key-reused", "another opening balance")
        return Imported("taken", None, "")


async def run(path: Path, admin: AdminClient) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """What was counted, and the lines that were not taken."""
    told: list[tuple[int, str]] = []
    with PlayerFile(path) as file:
        importing = PlayerImport(admin, lambda line: told.append((line.line, line.problem)), lambda: None)
        await importing.run(file.lines())
    return dict(importing.counts), told


async def test_batches_are_bounded_and_every_line_is_accounted_for(tmp_path):
    """Lines that are none of a player, and players who are refused, are told with their numbers."""
    path = tmp_path / "a.csv"
    rows = [f"p{number},KRW,1" for number in range(2 * PLAYERS_SENT_MAX)]
    path.write_text("\n".join(["user_id,currency,balance", "p0,KRW,1", "bad", *rows, "p0,KRW,2"]))
    admin = FakeAdmin()
    counts, told = await run(path, admin)
    assert counts == {"taken": 2 * PLAYERS_SENT_MAX + 1, "refused": 2}
    assert told == [(3, "invalid-line"), (2 * PLAYERS_SENT_MAX + 4, "key-reused")]
    assert max(admin.sizes) <= PLAYERS_SENT_MAX


async def test_what_is_unknown_is_sent_again(tmp_path, monkeypatch):
    """Until it is known, or patience ends."""
    monkeypatch.setattr("seamless_wallet.clients.player_import.PAUSE_FIRST_S", 0.001)
    path = tmp_path / "a.csv"
    path.write_text("user_id,currency\nann,KRW\n")
    assert await run(path, FakeAdmin(unknown=2)) == ({"taken": 1}, [])
    monkeypatch.setattr("seamless_wallet.clients.player_import.IMPORT_PATIENCE_S", 0.0)
    with pytest.raises(AdminUnreachable, match="line 2 stays unknown"):
        await run(path, FakeAdmin(unknown=100))


def test_the_json_of_a_player_is_what_the_admin_api_takes():
    """Names and order."""
    assert json.loads(json.dumps(NewPlayer("a", "KRW").__struct_fields__)) == ["user_id", "currency", "balance"]


async def test_a_line_that_no_request_can_hold_is_refused_alone(tmp_path):
    """It is told with its number, and those behind it are taken."""
    path, admin = tmp_path / "a.csv", FakeAdmin()
    path.write_text(f"user_id,currency\nann,KRW\n{'x' * 70_000},KRW\nbob,KRW\n")
    _, told = await run(path, admin)
    assert sorted(admin.taken) == ["ann", "bob"]
    assert [number for number, _ in told] == [3]
