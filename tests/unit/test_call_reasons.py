"""`wallet explain` has words for every reason that the documents have, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

from seamless_wallet.calls.reasons import MEANINGS

CODES = Path(__file__).resolve().parents[2] / "docs" / "codes.md"


def test_every_reason_is_told_in_words():
    """`tests/unit/test_docs.py` holds the page to the code."""
    assert set(re.findall(r"^\| `(\w+)` \|", CODES.read_text(), re.MULTILINE)) == MEANINGS.keys()


def test_words_are_sentences():
    """In a terminal they stand one after the other."""
    for meaning in MEANINGS.values():
        for text in (meaning.why, meaning.tell):
            assert not text or (text[-1] == "." and (text[0].isupper() or text.startswith("winloss")))
