"""Whoever holds the key, or rearranges what somebody with the key wrote: no text does what it does not say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless_wallet.commands import Kind
from tests.model.soak import example_settings, limit

pytestmark = limit

NUMBERS = (
    *("1e400", "-1e400", "1e999999", "1e-999999", "-1e-400", "0x10", "NaN", "Infinity", "-Infinity", "-0", "-0.0"),
    *("9007199254740990", "9007199254740991", "9007199254740992", "9007199254740993", "18014398509481984"),
    *("90071992547409.90", "90071992547409.91", "90071992547409.92", "-90071992547409.91", "9223372036854775808"),
    *("1e14", "99999999999999", "100000000000000", "100000000000001", "100000000000000.01", "1e13", "1E2", "1e+2"),
    *(
        "1.005",
        "1.50",
        "1.500",
        "100.010000000000000000000",
        "0.1e3",
        "5.",
        ".5",
        "+5",
        "05",
        "1_000",
        "1,000",
        "5000n",
    ),
    *(
        '"5000"',
        '" 5000"',
        '"NaN"',
        '"1e3"',
        "true",
        "null",
        "[5000]",
        "{}",
        "[]",
        "\u0665",
        "--5",
        "1" * 400,
        "1." + "0" * 400,
    ),
)
STRINGS = (
    *(
        '""',
        '" "',
        '"kim "',
        '" kim"',
        '"KIM"',
        '"k\\u0131m"',
        '"kim\\u0000"',
        '"kim\\u200b"',
        '"\\ud800"',
        '"\\ud800kim"',
    ),
    *(
        '"\\udc00\\ud800"',
        '"\\ud83d\\ude00"',
        '"kim:0"',
        '"{0}:w"',
        '"*"',
        '"a\\nb"',
        '"' + "k" * 128 + '"',
        '"' + "k" * 129 + '"',
    ),
    *(
        "1",
        "null",
        "[]",
        '{"a":1}',
        "true",
        "'kim'",
        "kim",
        '"kim',
        '"k\\x69m"',
        '"\\u006bim"',
        '"k\\u00e9"',
        '"ke\\u0301"',
    ),
)
RAW = (
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b'"\xf8\x88\x80\x80\x80"',
    b'"a\x00b"',
    b'"\xef\xbb\xbf"',
    b"\xfe\xff",
)
ACCEPTED = {"-0", "-0.0", "1E2", "1e+2", "1.50", "1.500", "100.010000000000000000000", "0.1e3", "1." + "0" * 400}
UNAFFORDABLE = {"90071992547409.90", "90071992547409.91", "1e13"}
TOKENS = (*NUMBERS, *STRINGS)
HOLE = "@@here@@"
OPTIONAL = {"feedback_data", "result", "result_before", "result_detail", "result_detail_before"}
"""Of a change; `feedback_data` of every event."""

KINDS = st.sampled_from((Kind.LOGIN, Kind.LOGOUT, Kind.BET, Kind.CANCEL, Kind.RESULT, Kind.CHANGE))
many = example_settings(examples=150)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in a JSON value."""
    found = [path] if path else []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        found += places(each, (*path, key))
    return found


def holder(value: Any, path: tuple[Any, ...]) -> Any:
    """What holds the thing at a path."""
    for key in path[:-1]:
        value = value[key]
    return value


def with_token(event: dict[str, Any], path: tuple[Any, ...], token: str | bytes) -> bytes:
    """The event's text with something else at one place, whatever it is."""
    changed = json.loads(json.dumps(event))
    holder(changed, path)[path[-1]] = HOLE
    raw = token.encode() if isinstance(token, str) else token
    return json.dumps(changed).encode().replace(f'"{HOLE}"'.encode(), raw)


def twice(event: dict[str, Any], path: tuple[Any, ...], *, escaped: bool = False) -> bytes:
    """The event's text with the field at a path repeated; by an escaped name, if asked for."""
    changed = json.loads(json.dumps(event))
    inside, name = holder(changed, path), path[-1]
    value = json.dumps(inside.pop(name))
    inside[HOLE] = HOLE
    again = f"\\u{ord(name[0]):04x}{name[1:]}" if escaped else name
    return (
        json.dumps(changed)
        .encode()
        .replace(f'"{HOLE}": "{HOLE}"'.encode(), f'"{name}": {value}, "{again}": {value}'.encode())
    )


@pytest.mark.parametrize("kind", [Kind.LOGIN, Kind.BET, Kind.RESULT, Kind.CHANGE, Kind.CANCEL])
def test_valid_events_are_valid(door, kind):
    """So that what follows is no test of something that is refused anyway."""
    assert door.call("blocks", json.dumps(door.event(kind)).encode()) in {"R0", "R1"}


@many
@given(kind=KINDS, pick=st.integers(0, 999), token=st.one_of(st.sampled_from(TOKENS), st.sampled_from(RAW)))
def test_any_token_at_any_place(door, kind, pick, token):
    """Taken for exactly what it says, or refused without a trace."""
    event = door.event(kind)
    found = places(event)
    assert door.call("blocks", with_token(event, found[pick % len(found)], token)) in {"R0", "R1", "R3", "R4"}


@pytest.mark.parametrize("token", NUMBERS)
@pytest.mark.parametrize("field", ["bet_amount", "winloss"])
def test_every_number_as_an_amount(door, field, token):
    """In an item and its total alike: R0 only if it is a number, and then it is exactly that amount.

    Each with a player of its own: who has won the most there may be can afford what others cannot.
    """
    kind = Kind.BET if field == "bet_amount" else Kind.RESULT
    user = f"player-{next(door.numbers)}"
    door.fund(user, 10**8)
    event = door.event(kind, size=1, user_id=user)
    data = event["data"]
    if kind is Kind.RESULT:
        bet = door.event(Kind.BET, size=1, user_id=user, game_no=data["game_no"])
        assert door.call("blocks", json.dumps(bet).encode()) == "R0"
    batch = data["bets" if kind is Kind.BET else "bet_results"]
    batch[0][field] = data[f"total_{field}"] = HOLE
    code = door.call("blocks", json.dumps(event).encode().replace(f'"{HOLE}"'.encode(), token.encode()))
    print(token, field, code)
    if token in UNAFFORDABLE:
        assert code == (
            "R4" if kind is Kind.BET else "R0" if token == "1e13" else "R3"
        )  # with the stake it is too much
    else:
        assert code == ("R0" if token in ACCEPTED else "R3")


@many
@given(
    kind=KINDS, pick=st.integers(0, 999), how=st.sampled_from(("drop", "twice", "escaped", "rename", "nest", "list"))
)
def test_any_change_of_structure(door, kind, pick, how):
    """Fields gone, twice (also with an escaped name), renamed, nested or in a list: R3, unless it is no change."""
    event = door.event(kind)
    paths = [path for path in places(event) if isinstance(path[-1], str)]
    path = paths[pick % len(paths)]
    if how in {"twice", "escaped"}:
        assert door.call("blocks", twice(event, path, escaped=how == "escaped")) == "R3"
        return
    inside, name = holder(event, path), path[-1]
    value = inside.pop(name)
    match how:
        case "rename":
            inside[name + " "] = value
        case "nest":
            inside[name] = {name: value}
        case "list":
            inside[name] = [value]
    assert door.call("blocks", json.dumps(event).encode()) in {"R0", "R1", "R3"}


@pytest.mark.parametrize("kind", [Kind.LOGIN, Kind.BET, Kind.CHANGE])
def test_a_field_that_is_gone_does_not_hide_one_that_is_there_twice(door, kind):
    """Whichever of the optional fields is left out, whichever other one is repeated: R3."""
    event = door.event(kind)
    if kind is Kind.CHANGE:
        event["data"] |= {"result_before": "b", "result_detail_before": "{}"}  # all that there may be
    paths = [path for path in places(event) if isinstance(path[-1], str)]
    for gone in [path for path in paths if path[-1] in OPTIONAL]:
        less = json.loads(json.dumps(event))
        del holder(less, gone)[gone[-1]]
        assert door.call("blocks", json.dumps(less).encode()) in {"R0", "R1"}
        for path in [path for path in paths if path != gone]:
            text = twice(less, path)
            assert door.call("blocks", text) == "R3", text


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"data":[', '[{"":'])
@pytest.mark.parametrize("where", ["alone", "in an unknown field", "in data"])
def test_deep_nesting(door, opening, where):
    """As deep as a body may be: R3, at once."""
    deep = opening * (40_000 // len(opening))
    event = json.dumps(door.event(Kind.BET))
    texts = {
        "alone": deep,
        "in an unknown field": event[:-1] + ', "more": ' + deep + "}",
        "in data": event.replace('"data": {', '"data": {"more": ' + deep + ",", 1),
    }
    assert door.call("blocks", texts[where].encode()) == "R3"


def test_balanced_nesting_in_an_unknown_field(door):
    """Unknown fields are accepted (row 12), but not at any depth: R0 or R3, and never a bug."""
    for depth in (10, 500, 2_000, 20_000):
        event = json.dumps(door.event(Kind.BET))
        text = event[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}"
        assert door.call("blocks", text.encode()) in {"R0", "R3"}


@many
@given(
    text=st.one_of(
        st.binary(max_size=200), st.text(max_size=100).map(str.encode), st.from_regex(rb"[\[\]{}:,\"0-9eE.\-]{0,60}")
    )
)
def test_any_bytes(door, text):
    """Whatever opens and is no event: R3."""
    assert door.call("sealed", text) == "R3"


def test_a_batch_of_too_many(door):
    """500 items are taken, 501 are not."""
    for size, code in ((500, "R0"), (501, "R3")):
        event = door.event(Kind.BET)
        event["data"]["bets"] = [{"bet_index": str(n), "bet_type": "p", "bet_amount": 1} for n in range(size)]
        event["data"]["total_bet_amount"] = size
        assert door.call("blocks", json.dumps(event).encode()) == code


@pytest.mark.parametrize(
    "stamp", ["-1", "1e10", "1700000000.5", "99999999999999999999", "253402300800000", "true", '"1"', "-0"]
)
def test_any_timestamp(door, stamp):
    """A whole number of the past or the future up to the year 9999, or R3."""
    text = with_token(door.event(Kind.LOGIN), ("timestamp",), stamp)
    assert door.call("blocks", text) == ("R0" if stamp == "-0" else "R3")
