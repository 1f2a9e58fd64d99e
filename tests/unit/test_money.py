from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamless_wallet.money import AMOUNT_MAX, SCALE_MAX, AmountError, format_minor, json_number, parse_minor, to_minor

REPEATABLE = settings(derandomize=True, deadline=None)  # the same examples on every machine
MINOR = st.integers(-AMOUNT_MAX, AMOUNT_MAX)
SCALE = st.integers(0, SCALE_MAX)


@REPEATABLE
@given(MINOR, SCALE)
def test_every_amount_survives_the_way_to_json_and_back(minor: int, scale: int):
    """Every amount survives the way to json and back."""
    assert to_minor(Decimal(json_number(minor, scale)), scale) == minor


@REPEATABLE
@given(MINOR, SCALE)
def test_every_amount_survives_the_way_to_text_and_back(minor: int, scale: int):
    """Every amount survives the way to text and back."""
    text = format_minor(minor, scale)
    assert to_minor(Decimal(text), scale) == minor
    if minor >= 0:
        assert parse_minor(text, scale) == minor


@REPEATABLE
@given(MINOR, SCALE)
def test_a_json_number_has_neither_exponent_nor_trailing_zeros(minor: int, scale: int):
    """A json number has neither exponent nor trailing zeros."""
    text = json_number(minor, scale)
    assert set(text) <= set("-0123456789.")
    assert "." not in text or text[-1] not in "0."


@REPEATABLE
@given(st.decimals(allow_nan=True, allow_infinity=True), SCALE)
def test_whatever_is_taken_is_exactly_that_amount(value: Decimal, scale: int):
    """Whatever is taken is exactly that amount."""
    try:
        minor = to_minor(value, scale)
    except AmountError:
        return
    assert Decimal(minor).scaleb(-scale) == value
    assert abs(minor) <= AMOUNT_MAX


@pytest.mark.parametrize(
    ("value", "minor"),
    [
        (5000, 500000),
        (Decimal(5000), 500000),
        (Decimal("4750.25"), 475025),
        (Decimal("-0"), 0),
        (Decimal("-0.00"), 0),
        (Decimal("0E+999999"), 0),
        (Decimal("1e3"), 100000),
        (Decimal("1.5" + "0" * 60_000), 150),
        (Decimal("90071992547409.91"), AMOUNT_MAX),
        (-5000, -500000),
    ],
)
def test_to_minor_is_exact(value: Decimal | int, minor: int):
    """To minor is exact."""
    assert to_minor(value, 2) == minor


@pytest.mark.parametrize(
    "value",
    [
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
        Decimal("0.001"),
        Decimal("1.0050"),
        Decimal("1E-999999"),
        Decimal("1E+999999"),
        Decimal("-1e400"),
        Decimal("90071992547409.92"),
        AMOUNT_MAX,
        10**4000,
        True,
        "5000",
        5000.0,
        None,
    ],
)
def test_to_minor_refuses(value: object):
    """To minor refuses."""
    with pytest.raises(AmountError):
        to_minor(value, 2)  # type: ignore[arg-type]


def test_a_huge_exponent_costs_nothing():
    """A huge exponent costs nothing."""
    started_s = time.perf_counter()
    for text in ("1e999999", "-1e999999", "1e-999999", "9" * 50_000, "0." + "0" * 50_000 + "1"):
        with pytest.raises(AmountError):
            to_minor(Decimal(text), 2)
    assert time.perf_counter() - started_s < 1


@pytest.mark.parametrize(
    ("text", "minor"), [("100.00", 10000), ("0", 0), ("007", 700), ("0.5", 50), ("1.500", 150), ("1." + "0" * 38, 100)]
)
def test_parse_minor_reads_plain_numbers(text: str, minor: int):
    """Parse minor reads plain numbers."""
    assert parse_minor(text, 2) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "1.",
        ".5",
        "1e3",
        "1_000",
        "1,000",
        "0x10",
        "\u0661",
        "NaN",
        "1.001",
        "90071992547409.92",
        "1" * 50,
        "1." + "0" * 39,
        "0" * 40 + "1",
    ],
)
def test_parse_minor_refuses_the_rest(text: str):
    """Parse minor refuses the rest."""
    with pytest.raises(AmountError):
        parse_minor(text, 2)


@pytest.mark.parametrize(
    ("minor", "scale", "full", "short"),
    [
        (0, 2, "0.00", "0"),
        (9250000, 2, "92500.00", "92500"),
        (10475025, 2, "104750.25", "104750.25"),
        (10475050, 2, "104750.50", "104750.5"),
        (-5, 2, "-0.05", "-0.05"),
        (-150, 2, "-1.50", "-1.5"),
        (-100, 2, "-1.00", "-1"),
        (700, 0, "700", "700"),
        (1, 8, "0.00000001", "0.00000001"),
    ],
)
def test_amounts_are_written_as_people_and_as_providers_expect(minor: int, scale: int, full: str, short: str):
    """Amounts are written as people and as providers expect."""
    assert format_minor(minor, scale) == full
    assert json_number(minor, scale) == short
