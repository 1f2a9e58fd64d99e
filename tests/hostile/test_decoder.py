"""The decoder and the amounts by themselves, without a limit on the body: any text is an event or `Invalid`, soon."""

from __future__ import annotations

import json
import os
import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seamless_wallet.money import AMOUNT_MAX, AmountError, parse_minor, to_minor
from seamless_wallet.providers import Invalid, build_provider
from tests.hostile.door import KEY
from tests.model.soak import example_settings, limit

pytestmark = limit

PROVIDER = build_provider(random_bytes=os.urandom, name="games", api_id="us", api_key=KEY, currencies={"KRW": 2})
SIZE = 10_000_000
LIMIT_S = 10.0
many = example_settings(examples=300)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("transaction_id", "event_type", "timestamp", "user_id", "data", "feedback_data")
KINDS = ("login", "logout", "bet", "bet_cancel", "bet_result", "bet_result_change", "result_change", "bets")


def decode(text: bytes) -> bool:
    """Whether it is an event. Raises nothing but what it may."""
    try:
        PROVIDER.profile.decode(text, PROVIDER, 1_700_000_000_000)
    except Invalid:
        return False
    return True


@many
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf{}")
@example(b'{"event_type":"login"}\x00')
@example(b'{"event_type":"\xed\xa0\x80"}')
def test_any_bytes_are_refused(text):
    """Invalid, and nothing else."""
    assert not decode(text)


@many
@given(event=st.fixed_dictionaries(dict.fromkeys(FIELDS, values)), kind=st.sampled_from(KINDS) | values)
def test_any_json_is_an_event_or_invalid(event, kind):
    """All the right fields, with anything in them."""
    decode(json.dumps(event | {"event_type": kind}).encode())
    decode(json.dumps({"event_type": kind, "data": event}).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"[" * SIZE,
        b'{"a":' * (SIZE // 5),
        b'{"event_type":"login","user_id":"' + b"k" * SIZE + b'"}',
        b'{"event_type":"login","timestamp":' + b"1" * SIZE + b"}",
        b'{"event_type":"login","timestamp":1e' + b"9" * SIZE + b"}",
        b'{"event_type":"login","x":-0.' + b"0" * SIZE + b"1}",
        b'{"event_type":"login","x":"' + b"\\u0041" * (SIZE // 6) + b'"}',
        b'{"x":[' + b"0," * (SIZE // 2) + b"0]}",
        b'{"event_type":"login",' + b",".join(b'"k%d":0' % n for n in range(SIZE // 12)) + b"}",
        b" " * SIZE,
        b'"' + b"\xff" * SIZE + b'"',
    ],
    ids=lambda text: text[:20].decode("latin-1").strip() or "blank",
)
def test_ten_megabytes_take_seconds_at_most(text):
    """Never quadratic, although such a text never comes through the door."""
    started_s = time.monotonic()
    assert not decode(text)
    assert time.monotonic() - started_s < LIMIT_S


@many
@given(
    number=st.decimals(allow_nan=True, allow_infinity=True) | st.integers().map(Decimal),
    scale=st.integers(0, 8),
)
@example(Decimal("1e400"), 2)
@example(Decimal("1e999999"), 2)
@example(Decimal("-1e999999"), 8)
@example(Decimal("1e-999999"), 2)
@example(Decimal("sNaN"), 0)
@example(Decimal(2**53 - 1), 0)
@example(Decimal(2**53), 0)
@example(Decimal(-(2**53)), 0)
@example(Decimal("90071992547409.91"), 2)
@example(Decimal("90071992547409.92"), 2)
@example(Decimal("1e14"), 1)
@example(Decimal(99999999999999), 2)
def test_an_amount_is_exact_or_refused(number, scale):
    """Every number that is one, has no finer digits and is within the cap; no other."""
    minor = None
    if number.is_finite() and (not number or abs(number.adjusted()) < 60):
        exact = Fraction(number) * 10**scale
        minor = int(exact) if exact.denominator == 1 and abs(exact) <= AMOUNT_MAX else None
    try:
        assert to_minor(number, scale) == minor
    except AmountError:
        assert minor is None


@many
@given(st.text(max_size=50) | st.from_regex(r"[0-9+\-.eE_ xX]{1,30}", fullmatch=True))
def test_an_amount_in_a_string_is_plain_digits(text):
    """For the back office: digits and a dot, or refused."""
    try:
        minor = parse_minor(text, 2)
    except AmountError:
        return
    assert set(text) <= set("0123456789.")
    assert minor == Decimal(text) * 100
