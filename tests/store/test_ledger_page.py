"""The examples of docs/ledger.md are run against a small ledger, and give what the page says."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from tests.store.books import Book

BACKENDS = ("sqlite",)

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
EXAMPLES = re.findall(r"```sql\n(.*?)```\n\n?```text\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
async def small(store, backend):
    """The players of the page."""
    ann, bob = (Book(shard) for shard in (0, 1))
    for book, name in ((ann, ann.user), (bob, bob.user)):
        book.create(name)
        book.deposit(10_000)
        book.now_ms += 60_000
        book.bet("g1", a=1_000, b=500)
        book.now_ms += 30_000
        book.result("g1", a=(1_000, 950))
        book.now_ms += 86_400_000
    bob.bet("g2", a=2_000)
    bob.result("g2", a=(2_000, -2_000))
    refused = ann.copy().result("g1", a=(1_000, 950))
    refused.void = "contradicted"
    ann.entries.append(refused)
    await store.commit([ann.take(), bob.take()])
    return backend.path


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_gives_what_the_page_says(small, number):
    """With the names of the columns in front"""
    query, said = EXAMPLES[number]
    connection = sqlite3.connect(small)
    rows = connection.execute(query)
    lines = [[column[0] for column in rows.description], *rows.fetchall()]
    connection.close()
    assert "".join("|".join(map(str, line)) + "\n" for line in lines) == said


def test_the_page_has_examples():
    """They are found"""
    assert len(EXAMPLES) >= 5
