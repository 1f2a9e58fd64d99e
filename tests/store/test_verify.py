# ruff: noqa: S608 - tables and columns are this file's own
from __future__ import annotations

from hashlib import sha1

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.stores import player_audit
from seamless_wallet.stores.planning import SIGNPOST_EVERY
from seamless_wallet.stores.player_audit import MarkCheck
from tests.store.books import user_of


async def findings(store):
    """All that verify has to say."""
    return [finding async for finding in store.verify()]


@pytest.fixture
async def story(store, book, other):
    """A ledger that has something in every table and column."""
    book.post(book.command(Kind.LOGIN))
    book.bet("g1", a=100, b=200)
    book.result("g1", a=(100, 95))
    book.change("g1", a=(100, 95, -100))
    book.cancel("g2", never=5)
    book.bet("g3", a=9_000)
    book.result("g3", a=(9_000, 9_000))
    book.withdraw(18_000)
    book.change("g3", a=(9_000, 9_000, -9_000))
    book.post(book.command(Kind.STATUS, status="blocked"))
    dollar = user_of(1, 2, 1)
    other.create(dollar, "USD")
    other.deposit(50, dollar)
    other.bet("g1", dollar, currency="USD", a=20)
    for amount in range(SIGNPOST_EVERY):
        other.deposit(amount)
    text = "return 1"
    await store.register_scripts({sha1(text.encode(), usedforsecurity=False).hexdigest(): text}, 1)
    await store.commit([book.take(), other.take()])
    assert await findings(store) == []
    return book


async def test_reports_progress_up_to_all(store, story):
    """Done never goes back and ends at total"""
    seen: list[tuple[int, int]] = []
    assert [f async for f in store.verify(lambda done, total: seen.append((done, total)))] == []
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


async def test_an_empty_ledger_is_sound(store):
    """Nothing to find"""
    assert await findings(store) == []


async def test_stopping_early_leaves_nothing_behind(store, story, backend):
    """The first finding may be enough"""
    backend.tamper("UPDATE entry SET chain = zeroblob(16)")
    verification = store.verify()
    assert (await anext(verification)).shard == 0
    await verification.aclose()


NUMBERS = {
    "entry": [
        "id", "shard", "seq", "epoch", "player", "previous", "received_ms",
        "version", "balance", "debt", "balance_delta", "debt_delta",
    ],
    "wallet": ["player", "version", "seq", "balance", "debt", "last"],
    "shard": ["shard", "seq"],
    "mark": ["player", "open", "entry"],
    "signpost": ["player", "seq", "received_ms", "entry"],
    "ledger": ["shards"],
}  # fmt: skip
BYTES = {
    "entry": ["payload", "chain"],
    "shard": ["chain"],
    "mark": ["digest"],
}
TEXTS = {
    "entry": ["kind", "provider", "transaction_id", "game_no", "effects"],
    "wallet": ["user_id", "currency", "status", "sessions"],
    "script": ["sha", "text"],
    "mark": ["bet_index", "state"],
}
# One row of each table, and one that has all columns set.
ROW = {
    "entry": "shard = 0 AND seq = 4",
    "wallet": "status = 'blocked'",
    "shard": "shard = 0",
    "mark": "state LIKE 'S 9000 %'",
    "signpost": "true",
    "ledger": "shards = 2",
    "script": "true",
}


def pairs(columns):
    """(table, column) of each."""
    return [(table, column) for table, names in columns.items() for column in names]


@pytest.mark.parametrize("by", [1, -1, 1_000])
@pytest.mark.parametrize(("table", "column"), pairs(NUMBERS))
async def test_finds_a_changed_number(store, story, backend, table, column, by):
    """Whatever column it is in"""
    if (table, column) in backend.lacks:
        return
    try:
        assert backend.tamper(f"UPDATE {table} SET {column} = {column} + {by} WHERE {ROW[table]}") == 1
    except backend.refused:
        return  # a key that another row has
    assert await findings(store)


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize(("table", "column"), pairs(BYTES))
async def test_finds_a_changed_byte(store, story, backend, table, column, where):
    """One byte of a digest, a payload, a decision or a chain link, at either end or between"""
    ((value,),) = backend.rows(f"SELECT {column} FROM {table} WHERE {ROW[table]}")
    at = {"first": 0, "middle": len(value) // 2, "last": len(value) - 1}[where]
    changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    assert backend.tamper(f"UPDATE {table} SET {column} = ? WHERE {ROW[table]}", changed) == 1
    assert await findings(store)


async def test_finds_any_byte_of_an_entry(store, story, backend):
    """Not one byte of the payload is outside the chain"""
    ((payload,),) = backend.rows(f"SELECT payload FROM entry WHERE {ROW['entry']}")
    for at in range(len(payload)):
        changed = payload[:at] + bytes([payload[at] ^ 0x01]) + payload[at + 1 :]
        backend.tamper(f"UPDATE entry SET payload = ? WHERE {ROW['entry']}", changed)
        assert (0, 4) in {(finding.shard, finding.seq) for finding in await findings(store)}
    backend.tamper(f"UPDATE entry SET payload = ? WHERE {ROW['entry']}", payload)
    assert await findings(store) == []


@pytest.mark.parametrize("what", ["an event", "a bet", "an open bet"])
async def test_finds_a_mark_that_says_else(store, story, backend, what):
    """Each event, bet and open bet has its own"""
    where = {
        "an event": "open = 0 AND bet_index = ''",
        "a bet": "open = 0 AND bet_index <> ''",
        "an open bet": "open = 1",
    }[what]
    where = f"{where} AND entry = (SELECT max(entry) FROM mark WHERE {where})"
    assert backend.tamper(f"UPDATE mark SET entry = entry - 1 WHERE {where}") == 1
    assert await findings(store)


@pytest.mark.parametrize("held_max", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("tamper", ["", "open = 0 AND bet_index = ''", "open = 0 AND bet_index <> ''", "open = 1"])
async def test_a_player_with_very_many_marks_is_checked_slice_by_slice(store, story, backend, held_max, tamper):
    """Whatever may be held at a time, the findings are the same, and none is told twice"""
    if tamper:
        assert backend.tamper(f"UPDATE mark SET entry = entry - 1 WHERE {tamper}")
    whole = await findings(store)
    assert bool(whole) is bool(tamper)
    sliced = await backend.verify(held_max)
    assert sorted(finding.text for finding in sliced) == sorted(finding.text for finding in whole)


async def test_no_more_marks_are_held_than_may_be(store, story, backend, monkeypatch):
    """One more for a moment; what has the same digest stays together"""
    held = []

    class Watched(MarkCheck):
        def follow(self, entry, entry_id):
            super().follow(entry, entry_id)
            held.append(len(self._events) + len(self._bets))

    monkeypatch.setattr(player_audit, "MarkCheck", Watched)
    monkeypatch.setattr(backend.verification, "MarkCheck", Watched)
    assert await backend.verify(5) == []
    assert max(held) == 5


@pytest.mark.parametrize("value", ["x", ""])
@pytest.mark.parametrize(("table", "column"), pairs(TEXTS))
async def test_finds_a_changed_text(store, story, backend, table, column, value):
    """A byte more, or nothing at all"""
    new = f"{column} || 'x'" if value else "''"
    assert backend.tamper(f"UPDATE {table} SET {column} = {new} WHERE {ROW[table]}") == 1
    assert await findings(store)


@pytest.mark.parametrize(("table", "column"), pairs(TEXTS))
async def test_survives_a_text_that_is_none(store, story, backend, table, column):
    """Invalid UTF-8 is a finding, not a crash"""
    if not backend.takes_any_bytes:
        return
    assert backend.tamper(f"UPDATE {table} SET {column} = CAST(x'fffe' AS TEXT) WHERE {ROW[table]}") == 1
    assert await findings(store)


@pytest.mark.parametrize("table", ["entry", "wallet", "shard", "mark", "signpost"])
async def test_finds_a_missing_row(store, story, backend, table):
    """Every row of the story is needed"""
    assert backend.tamper(f"DELETE FROM {table} WHERE {ROW[table]}") == 1
    assert await findings(store)


async def test_finds_a_cut_tail(store, story, backend):
    """The newest entries of a shard taken away are missed by its head"""
    backend.tamper("DELETE FROM entry WHERE shard = 0 AND seq > 9")
    assert any(finding.shard == 0 and "head" in finding.text for finding in await findings(store))


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO mark SELECT 0, player, zeroblob(16), 'x', last, 'S 1 0 0' FROM wallet LIMIT 1",
        "INSERT INTO mark SELECT 0, player, zeroblob(16), '', last, NULL FROM wallet LIMIT 1",
        "INSERT INTO mark SELECT 1, player, zeroblob(16), 'x', last, 'O 1' FROM wallet LIMIT 1",
        "INSERT INTO mark VALUES (1, 999, zeroblob(16), 'x', 1, 'O 1')",
        "INSERT INTO signpost VALUES (999, 1, 1, 1)",
        "INSERT INTO signpost SELECT player, seq, 1, last FROM wallet LIMIT 1",
        "INSERT INTO wallet VALUES (999, 'ghost', 'KRW', 'active', 1, 1, 0, 0, 1, '{}')",
        "INSERT INTO shard VALUES (2, 1, 0, zeroblob(16), '', '', '', '')",
    ],
)
async def test_finds_a_row_that_no_entry_explains(store, story, backend, insert):
    """Bets, rounds, wallets and shards out of nothing"""
    assert backend.tamper(backend.inserts.get(insert, insert)) == 1
    assert await findings(store)


DOUBLES = (
    "INSERT INTO mark SELECT 1, player, digest, bet_index, entry, 'O 9' FROM mark WHERE state LIKE 'S %'",
    "INSERT INTO mark SELECT 0, player, digest, bet_index, entry, 'S 200 0 0' FROM mark WHERE open = 1",
)
"""A bet that is open and over: where that is part of the key, nothing refuses it."""


@pytest.mark.parametrize("insert", DOUBLES)
async def test_finds_a_bet_that_is_open_and_over(store, story, backend, insert):
    """It has one mark"""
    if ("mark", "open") not in backend.lacks:
        assert backend.tamper(insert) > 0
        assert any("disagree about a bet" in finding.text for finding in await findings(store))


async def test_money_made_with_a_consistent_wallet_is_found(store, story, backend):
    """Entry columns and wallet changed alike, the payload left alone: the trial balance alone would be content"""
    backend.tamper("UPDATE entry SET balance_delta = balance_delta + 7 WHERE shard = 0 AND seq = 2")
    backend.tamper("UPDATE wallet SET balance = balance + 7 WHERE status = 'blocked'")
    assert {0} <= {finding.shard for finding in await findings(store)}
