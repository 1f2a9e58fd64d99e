from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import Answer, Code, Command, Item, Kind
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.providers import Echo, Invalid, Reply, build_provider
from seamless_wallet.providers.strict_json import has_repeated_key

REPEATABLE = settings(derandomize=True, deadline=None)  # the same examples on every machine
SAMPLES = Path(__file__).parents[1] / "samples" / "dowinn_v3"
API_KEY = "k3y-of-32-bytes-for-tests-only!!"
PROVIDER = build_provider(
    random_bytes=os.urandom,
    name="dowinn",
    api_id="agent7",
    api_key=API_KEY,
    currencies={"KRW": 2, "JPY": 0},
    scales={"USD": 2},
)
PROFILE = PROVIDER.profile
KEY = PROVIDER.keys[0]


def text_of(name: str) -> bytes:
    """The text of a sample."""
    return (SAMPLES / f"{name}.json").read_bytes()


def body_of(name: str) -> bytes:
    """The same, as openssl sealed it."""
    return (SAMPLES / f"{name}.body").read_bytes()


def command(kind: Kind, second: int, transaction_id: str, *items: Item, **context: str) -> Command:
    """A command of the samples' player."""
    return Command(
        kind=kind,
        provider="dowinn",
        user_id="player-1",
        transaction_id=transaction_id,
        timestamp_ms=1771000000000 + second * 1000,
        received_ms=7,
        currency="KRW" if items else "",
        game_no="T70001" if items else "",
        items=items,
        context=context,
    )


TABLE = {"game_type": "BAC", "table_no": "T7"}
DETAIL = '{"pscore":8,"bscore":3}'
COMMANDS = {
    "login": command(Kind.LOGIN, 0, "0_agent7_1771000000001_1001", feedback_data="fb-\u03b1"),
    "bet_batch": command(
        Kind.BET,
        1,
        "2_agent7_1771000001002_1002",
        Item("1", "P", 500000),
        Item("2", "T", 250000),
        feedback_data="fb-\u03b1",
        **TABLE,
    ),
    "bet_cancel_one": command(
        Kind.CANCEL, 2, "3_agent7_1771000002003_1003", Item("2", "T", 250000), feedback_data="", **TABLE
    ),
    "bet_result_fraction": command(
        Kind.RESULT,
        3,
        "4_agent7_1771000003004_1004",
        Item("1", "P", 500000, 475025),
        feedback_data="",
        result="P",
        result_detail=DETAIL,
        **TABLE,
    ),
    "result_change_down": command(
        Kind.CHANGE,
        4,
        "5_agent7_1771000004005_1005",
        Item("1", "P", 500000, -500000, 475025),
        feedback_data="",
        result="B",
        result_before="P",
        result_detail="{}",
        result_detail_before=DETAIL,
        **TABLE,
    ),
    "logout": command(Kind.LOGOUT, 5, "1_agent7_1771000005006_1006", feedback_data=""),
}
REPLIES = {
    "reply_r0": (
        Echo("bet", 1771000001, "player-1"),
        Answer(Code.R0, "ok", 9250000, 0, "KRW"),
        Decimal(92500),
    ),
    "reply_r0_fraction": (
        Echo("bet_result", 1771000003, "player-1"),
        Answer(Code.R0, "ok", 10475025, 0, "KRW"),
        Decimal("104750.25"),
    ),
    "reply_r3_no_balance": (Echo("bet", 1771000001, "nobody"), Answer(Code.R3, "player"), None),
}


@pytest.mark.parametrize("name", [*COMMANDS, *REPLIES])
def test_a_sample_is_sealed_and_opened_byte_by_byte_as_openssl_does(name: str):
    """A sample is sealed and opened byte by byte as openssl does."""
    assert PROVIDER.seal(text_of(name), KEY) == body_of(name)
    assert PROVIDER.open(body_of(name), KEY) == text_of(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_sample_event_is_exactly_this_command(name: str):
    """A sample event is exactly this command."""
    incoming = PROFILE.decode(text_of(name), PROVIDER, received_ms=7)
    sent = json.loads(text_of(name))
    assert incoming.command == COMMANDS[name]
    assert incoming.echo == Echo(sent["event_type"], sent["timestamp"], sent["user_id"])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_other_side_writes_the_same_sample(name: str):
    """The other side writes the same sample."""
    assert PROFILE.encode_event(COMMANDS[name], 2) == text_of(name)


@pytest.mark.parametrize("name", REPLIES)
def test_a_sample_reply_is_written_and_read(name: str):
    """A sample reply is written and read."""
    echo, answer, balance = REPLIES[name]
    assert PROFILE.encode_reply(echo, answer, 2) == text_of(name)
    assert PROFILE.decode_reply(text_of(name)) == Reply(
        answer.code, echo.event_type, echo.timestamp, echo.user_id, balance
    )


def test_a_reply_leaves_out_what_is_not_known():
    """A reply leaves out what is not known."""
    assert PROFILE.encode_reply(Echo(), Answer(Code.R2, "x"), None) == b'{"code":"R2"}'
    assert PROFILE.encode_reply(Echo(user_id="p"), Answer(Code.R1, "x", 0), 2) == (
        b'{"code":"R1","user_id":"p","latest_balance":0}'
    )
    assert PROFILE.encode_reply(Echo(), Answer(Code.R0, "x", 5, 0, "???"), None) == b'{"code":"R0"}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"code":"R9"}',
        b'{"code":"R0","latest_balance":"5"}',
        b'{"code":"R0","latest_balance":true}',
        b"[" * 9000,
    ],
)
def test_what_is_no_reply_is_a_value_error(text: bytes):
    """What is no reply is a value error."""
    with pytest.raises(ValueError, match="not a reply"):
        PROFILE.decode_reply(text)


AMOUNT = st.integers(0, 10**12)
NAME = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from(':"\\u003a{}'), min_size=1, max_size=20)


@st.composite
def events(draw: st.DrawFn) -> Command:
    """Any command that a provider can send."""
    kind = draw(st.sampled_from([Kind.LOGIN, Kind.LOGOUT, Kind.BET, Kind.CANCEL, Kind.RESULT, Kind.CHANGE]))
    context = {"feedback_data": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))}
    items: list[Item] = []
    if kind not in {Kind.LOGIN, Kind.LOGOUT}:
        names = ["game_type", "table_no"]
        names += ["result", "result_detail"] if kind in {Kind.RESULT, Kind.CHANGE} else []
        names += ["result_before", "result_detail_before"] if kind is Kind.CHANGE else []
        context |= {name: draw(NAME) for name in names}
        for index in draw(st.lists(NAME, min_size=1, max_size=5, unique=True)):
            stake = draw(AMOUNT)
            winloss = draw(AMOUNT) - stake if kind in {Kind.RESULT, Kind.CHANGE} else 0
            before = draw(AMOUNT) - stake if kind is Kind.CHANGE else 0
            items.append(Item(index, draw(NAME), stake, winloss, before))
    return Command(
        kind=kind,
        provider="dowinn",
        user_id=draw(NAME),
        transaction_id=draw(NAME),
        timestamp_ms=draw(st.integers(0, 10**8).map(lambda s: s * 1000) | st.integers(10**11 + 1, 10**14)),
        received_ms=7,
        currency="KRW" if items else "",
        game_no=draw(NAME) if items else "",
        items=tuple(items),
        context=context,
    )


@REPEATABLE
@given(events())
def test_every_event_survives_the_way_over_the_wire(event: Command):
    """Every event survives the way over the wire."""
    text = PROFILE.encode_event(event, 2)
    assert PROFILE.decode(text, PROVIDER, 7).command == event
    spaced = json.dumps(json.loads(text, parse_float=Decimal), default=float, indent=1).encode()
    assert PROFILE.decode(spaced, PROVIDER, 7).command == event


@REPEATABLE
@given(events(), st.data())
def test_a_repeated_key_is_refused_wherever_it_stands(event: Command, data: st.DataObject):
    """A repeated key is refused wherever it stands."""
    text = PROFILE.encode_event(event, 2).decode()
    key = data.draw(st.sampled_from([name for name in json.loads(text) if name != "data"]))
    places = [index for index, char in enumerate(text) if char == "{" and text[index + 1] == '"']
    if event.context.keys() - {"feedback_data"} or '{"' in json.loads(text).get("feedback_data", ""):
        places = places[:1]  # an opening brace within a string is no place for a key
    at = data.draw(st.sampled_from(places)) + 1
    spelt = data.draw(st.sampled_from([json.dumps(key), f'"\\u{ord(key[0]):04x}{key[1:]}"', f'"{key}" ']))
    doubled = f"{text[:at]}{spelt}:{json.dumps(json.loads(text)[key])},{text[at:]}"
    with pytest.raises(Invalid):
        PROFILE.decode(doubled.encode(), PROVIDER, 7)


@REPEATABLE
@given(events())
def test_every_name_of_a_kind_decodes_to_that_kind(event: Command):
    """The first name is the usual one; whichever is used is echoed."""
    names = PROFILE.event_names[event.kind]
    for name in names:
        incoming = PROFILE.decode(PROFILE.encode_event(event, 2, name), PROVIDER, 7)
        assert (incoming.command, incoming.echo.event_type) == (event, name)
    assert PROFILE.encode_event(event, 2) == PROFILE.encode_event(event, 2, names[0])


def test_names_of_events():
    """Results are changed under two names; a metric's label may have any of them."""
    assert PROFILE.event_names[Kind.CHANGE] == ("bet_result_change", "result_change")
    assert PROFILE.event_names[Kind.CANCEL] == ("bet_cancel",)
    assert {name for names in PROFILE.event_names.values() for name in names} == PROFILE.event_types


def changed(name: str = "bet_batch", **fields: object) -> bytes:
    """A sample with other values. `data__x` is a field of data, `item__x` one of its first item; `...` removes it."""
    event = json.loads(text_of(name))
    for path, value in fields.items():
        place, _, field = path.rpartition("__")
        target = event
        if place:
            target = event["data"]
        if place == "item":
            target = next(each for each in target.values() if isinstance(each, list))[0]
        if value is ...:
            del target[field]
        else:
            target[field] = value
    return json.dumps(event).encode()


def swapped(old: bytes, new: bytes, name: str = "bet_batch") -> bytes:
    """A sample with other bytes."""
    text = text_of(name)
    assert text.count(old) == 1
    return text.replace(old, new)


def sized(count: int) -> bytes:
    """A bet of so many items."""
    bets = [{"bet_index": str(index), "bet_type": "P", "bet_amount": 1} for index in range(count)]
    return changed(data__bets=bets, data__total_bet_amount=count)


FIRST_STAKE = b'"bet_amount":5000}'
REJECTED = {
    "json": {
        "empty": b"",
        "not JSON": b"hello",
        "cut": text_of("bet_batch")[:-1],
        "more behind": text_of("bet_batch") + b"x",
        "byte order mark": b"\xef\xbb\xbf" + text_of("login"),
        "UTF-16": text_of("login").decode().encode("utf-16-le"),
        "bad UTF-8 in a field": swapped(b"player-1", b"player\xff", "login"),
        "bad UTF-8 in an unknown field": swapped(b"{", b'{"x":"\xff",', "login"),
        "a surrogate as UTF-8 in an unknown field": swapped(b"{", b'{"x":"\xed\xa0\x80",', "login"),
        "bad UTF-8 in an unknown key": swapped(b"{", b'{"\xff":1,', "login"),
        "lone surrogate": swapped(b"player-1", b"\\ud800", "login"),
        "surrogate as UTF-8": swapped(b"player-1", b"\xed\xa0\x80", "login"),
        "raw control character": swapped(b"player-1", b"a\nb", "login"),
        "nested too deeply": swapped(b"{", b'{"x":' + b"[" * 60_000 + b",", "login"),
        "NaN": swapped(FIRST_STAKE, b'"bet_amount":NaN}'),
        "Infinity": swapped(FIRST_STAKE, b'"bet_amount":Infinity}'),
        "leading zero": swapped(FIRST_STAKE, b'"bet_amount":05000}'),
        "plus sign": swapped(FIRST_STAKE, b'"bet_amount":+5000}'),
        "hexadecimal": swapped(FIRST_STAKE, b'"bet_amount":0x10}'),
        "underscore": swapped(FIRST_STAKE, b'"bet_amount":5_000}'),
    },
    "schema": {
        "array": b"[]",
        "string": b'"x"',
        "null": b"null",
        "no event_type": changed(event_type=...),
        "event_type a number": changed(event_type=5),
        "no transaction_id": changed(transaction_id=...),
        "transaction_id a number": changed(transaction_id=5),
        "no user_id": changed(user_id=...),
        "user_id null": changed(user_id=None),
        "no timestamp": changed(timestamp=...),
        "timestamp a string": changed(timestamp="1771000001"),
        "timestamp a fraction": changed(timestamp=1771000001.5),
        "timestamp with an exponent": swapped(b"1771000001,", b"1771e6,"),
        "timestamp a boolean": changed(timestamp=True),
        "feedback_data an object": changed(feedback_data={}),
        "no data": changed(data=...),
        "data an array": changed(data=[]),
        "no currency": changed(data__currency=...),
        "no game_no": changed(data__game_no=...),
        "no game_type": changed(data__game_type=...),
        "no table_no": changed(data__table_no=...),
        "no total": changed(data__total_bet_amount=...),
        "no bets": changed(data__bets=...),
        "bets null": changed(data__bets=None),
        "bets an object": changed(data__bets={}),
        "bet_index a number": changed(item__bet_index=1),
        "no bet_index": changed(item__bet_index=...),
        "no bet_type": changed(item__bet_type=...),
        "no bet_amount": changed(item__bet_amount=...),
        "amount a string": changed(item__bet_amount="5000"),
        "amount the string NaN": changed(item__bet_amount="NaN"),
        "amount a string with spaces": changed(item__bet_amount=" 5 "),
        "amount Arabic digits": changed(item__bet_amount="\u0661"),
        "amount a boolean": changed(item__bet_amount=True),
        "amount null": changed(item__bet_amount=None),
        "amount an array": changed(item__bet_amount=[5000]),
        "total a string": changed(data__total_bet_amount="7500"),
        "amount of 5000 digits": swapped(FIRST_STAKE, b'"bet_amount":' + b"9" * 5000 + b"}"),
        "result without winloss": changed("bet_result_fraction", item__winloss=...),
        "result without total_winloss": changed("bet_result_fraction", data__total_winloss=...),
        "result without result_detail": changed("bet_result_fraction", data__result_detail=...),
        "result_detail an object": changed("bet_result_fraction", data__result_detail={}),
        "change without before": changed("result_change_down", item__winloss_before=...),
        "change without its total": changed("result_change_down", data__total_winloss_before=...),
        "a bet's data in a cancel": changed(event_type="bet_cancel"),
        "event_type twice, unlike": swapped(b'"event_type":', b'"event_type":"login","event_type":'),
    },
    "duplicate_key": {
        "at the top": swapped(b'"user_id":', b'"user_id":"other","user_id":'),
        "the same value": swapped(b'"user_id":', b'"user_id":"player-1","user_id":'),
        "event_type twice, alike": swapped(b'"event_type":', b'"event_type":"bet","event_type":'),
        "with a space": swapped(b'"user_id":', b'"user_id" : "other","user_id":'),
        "escaped": swapped(b'"user_id":', b'"\\u0075ser_id":"other","user_id":'),
        "escaped, and a colon to make up": swapped(
            b'"user_id":"player-1"', b'"\\u0075ser_id":"o","user_id":"a\\u003ab"'
        ),
        "in data": swapped(b'"game_no":', b'"game_no":"T1","game_no":'),
        "in an item": swapped(FIRST_STAKE, b'"bet_amount":5000,"bet_amount":5000}'),
        "in an unknown field": swapped(b'"user_id":', b'"x":{"y":1,"y":2},"user_id":'),
        "an unknown field twice": swapped(b'"user_id":', b'"x":1,"x":2,"user_id":'),
        "one twice, feedback_data left out": changed("login", feedback_data=...)[:-1] + b',"user_id":"player-1"}',
        **{
            f"one twice, {field} left out": changed("result_change_down", **{f"data__{field}": ...}).replace(
                b'"game_no":', b'"game_no":"T1","game_no":'
            )
            for field in ("result", "result_before", "result_detail", "result_detail_before")
        },
        "data of a login twice": changed("login", data=1)[:-1] + b',"data":2}',
    },
    "event_type": {
        "unknown": changed(event_type="jackpot"),
        "empty": changed(event_type=""),
        "in capitals": changed(event_type="BET"),
    },
    "id": {
        **{f"empty {field}": changed(**{field: ""}) for field in ("transaction_id", "user_id")},
        "empty game_no": changed(data__game_no=""),
        "empty bet_index": changed(item__bet_index=""),
        "empty bet_type": changed(item__bet_type=""),
        "empty currency": changed(data__currency=""),
        "129 characters": changed(user_id="x" * 129),
        "129 characters of game_no": changed(data__game_no="x" * 129),
        "129 characters of bet_index": changed(item__bet_index="x" * 129),
        "129 characters of transaction_id": changed(transaction_id="x" * 129),
        "NUL": changed(user_id="a\0b"),
        "line feed": changed(transaction_id="a\nb"),
        "C1 control": changed(data__game_no="a\x85b"),
        "DEL": changed(item__bet_index="a\x7fb"),
    },
    "timestamp": {
        "negative": changed(timestamp=-1),
        "beyond the year 9999": changed(timestamp=253_402_300_800_000),
        "beyond 64 bits": changed(timestamp=10**30),
    },
    "currency": {
        "unknown": changed(data__currency="XXX"),
        "not this provider's": changed(data__currency="USD"),
        "in small letters": changed(data__currency="krw"),
    },
    "amount": {
        "negative": changed(item__bet_amount=-5000),
        "negative in a cancel": changed("bet_cancel_one", item__bet_amount=-1),
        "negative in a result": changed("bet_result_fraction", item__bet_amount=-1),
        "finer than the currency": changed(item__bet_amount=0.001),
        "1e400": swapped(FIRST_STAKE, b'"bet_amount":1e400}'),
        "1e999999": swapped(FIRST_STAKE, b'"bet_amount":1e999999}'),
        "1e-999999": swapped(FIRST_STAKE, b'"bet_amount":1e-999999}'),
        "an exponent of 30 digits": swapped(FIRST_STAKE, b'"bet_amount":1e' + b"9" * 30 + b"}"),
        "over the cap": changed(item__bet_amount=AMOUNT_MAX),
        "total over the cap": changed(data__total_bet_amount=10**30),
        "two stakes within the cap, their sum not": changed(
            data__currency="JPY",
            data__bets=[{"bet_index": each, "bet_type": "P", "bet_amount": AMOUNT_MAX} for each in "12"],
            data__total_bet_amount=2 * AMOUNT_MAX,
        ),
        "winloss over the cap": changed("bet_result_fraction", item__winloss=-(10**17)),
        "finer than JPY": swapped(b'"KRW"', b'"JPY"', "bet_result_fraction"),
    },
    "total": {
        "of a bet": changed(data__total_bet_amount=7499.99),
        "negative": changed(data__total_bet_amount=-7500),
        "of a cancel": changed("bet_cancel_one", data__total_bet_cancel_amount=2501),
        "of a result": changed("bet_result_fraction", data__total_bet_amount=1),
        "of winloss": changed("bet_result_fraction", data__total_winloss=4750),
        "of winloss before": changed("result_change_down", data__total_winloss_before=0),
    },
    "items": {
        "none": sized(0),
        "over 500": sized(501),
        "one twice": changed(item__bet_index="2"),
    },
}


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        pytest.param(reason, text, id=f"{reason}: {case}")
        for reason, cases in REJECTED.items()
        for case, text in cases.items()
    ],
)
def test_a_hostile_event_is_refused_for_its_reason(reason: str, text: bytes):
    """A hostile event is refused for its reason."""
    with pytest.raises(Invalid) as caught:
        PROFILE.decode(text, PROVIDER, 7)
    assert caught.value.reason == reason
    PROFILE.encode_reply(caught.value.echo, Answer(Code.R3, reason), None).decode()


def third_item(**fields: object) -> bytes:
    """A bet of four items, of which the one at position 3 has other values; `...` removes one."""
    event = json.loads(sized(4))
    for field, value in fields.items():
        if value is ...:
            del event["data"]["bets"][3][field]
        else:
            event["data"]["bets"][3][field] = value
    return json.dumps(event).encode()


PLACES = {
    "no event_type": (changed(event_type=...), "event_type"),
    "an unknown event": (changed(event_type="jackpot"), "event_type"),
    "an event that looks like a place": (changed(event_type="x` - at `$.secret`"), "event_type"),
    "no object": (b"[]", ""),
    "no user_id": (changed(user_id=...), "user_id"),
    "timestamp a string": (changed(timestamp="1771000001"), "timestamp"),
    "timestamp beyond the year 9999": (changed(timestamp=253_402_300_800_000), "timestamp"),
    "no data": (changed(data=...), "data"),
    "no total": (changed(data__total_bet_amount=...), "data.total_bet_amount"),
    "bets an object": (changed(data__bets={}), "data.bets"),
    "no bets": (sized(0), "data.bets"),
    "501 bets": (sized(501), "data.bets"),
    "no bet_amount": (third_item(bet_amount=...), "data.bets[3].bet_amount"),
    "bet_index a number": (third_item(bet_index=7), "data.bets[3].bet_index"),
    "bet_amount a string": (third_item(bet_amount="5000"), "data.bets[3].bet_amount"),
    "bet_amount negative": (third_item(bet_amount=-1), "data.bets[3].bet_amount"),
    "bet_amount too fine": (third_item(bet_amount=0.001), "data.bets[3].bet_amount"),
    "bet_type empty": (third_item(bet_type=""), "data.bets[3].bet_type"),
    "bet_index with a line feed": (third_item(bet_index="a\nb"), "data.bets[3].bet_index"),
    "winloss a string": (changed("bet_result_fraction", item__winloss="1"), "data.bet_results[0].winloss"),
    "winloss over the cap": (changed("bet_result_fraction", item__winloss=-(10**17)), "data.bet_results[0].winloss"),
    "winloss_before null": (
        changed("result_change_down", item__winloss_before=None),
        "data.bet_results[0].winloss_before",
    ),
    "game_no too long": (changed(data__game_no="x" * 129), "data.game_no"),
    "user_id empty": (changed(user_id=""), "user_id"),
    "an unknown currency": (changed(data__currency="XXX"), "data.currency"),
    "a wrong total": (changed(data__total_bet_amount=1), "data.total_bet_amount"),
    "a total that is a string": (changed(data__total_bet_amount="1"), "data.total_bet_amount"),
    "a wrong total of winloss": (changed("bet_result_fraction", data__total_winloss=1), "data.total_winloss"),
    "a repeated key": (swapped(b'"user_id":', b'"user_id":"other","user_id":'), ""),
    "not JSON": (swapped(FIRST_STAKE, b'"bet_amount":NaN}'), "byte 290"),
    "not UTF-8": (b'{"a":"\xff"}', "byte 6"),
    "cut": (text_of("bet_batch")[:-1], ""),
}


PROBLEMS = {
    "bet_index a number": "should be a string, and is an integer",
    "bet_amount a string": "is no JSON number",
    "bet_amount negative": "is negative",
    "bet_amount too fine": "is finer than the currency's scale",
    "bet_type empty": "is empty",
    "bet_index with a line feed": "has control characters",
    "winloss over the cap": "is over the cap",
    "game_no too long": "has more than 128 characters",
    "an unknown currency": "is none that this provider may send",
    "a wrong total": "is not the sum of its items",
    "a repeated key": "has a key twice",
    "not JSON": "is where it stops to be JSON",
    "not UTF-8": "is no UTF-8",
    "cut": "is no JSON",
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_invalid_event_tells_what_is_wrong_there(name: str):
    """In words that go on from the name of the field."""
    with pytest.raises(Invalid) as caught:
        PROFILE.decode(PLACES[name][0], PROVIDER, 7)
    assert caught.value.problem == PROBLEMS[name]


@pytest.mark.parametrize(("text", "place"), PLACES.values(), ids=PLACES)
def test_an_invalid_event_tells_the_log_where_it_is_wrong(text: bytes, place: str):
    """The path of the field, or the position in what is no JSON: nothing that the provider wrote."""
    with pytest.raises(Invalid) as caught:
        PROFILE.decode(text, PROVIDER, 7)
    assert caught.value.place == place


ACCEPTED = {
    "unknown fields": changed(extra={"a": [1, 2.5, None]}, data__extra="x:y", item__extra=True),
    "a number of 5000 digits in an unknown field": swapped(b"{", b'{"x":' + b"9" * 5000 + b",", "login"),
    "no feedback_data": changed(feedback_data=...),
    "feedback_data null": changed(feedback_data=None),
    "colons in strings": changed(feedback_data='http://x:1/{"a":1}'),
    "a colon escaped": swapped(b"fb-\xce\xb1", b"a\\u003ab"),
    "white space": json.dumps(json.loads(text_of("bet_batch")), indent=4).encode() + b"\r\n",
    "128 characters": changed(user_id="x" * 128),
    "an emoji as a surrogate pair": changed(user_id="😀"),
    "a no-break space in an id": changed(user_id="a\u00a0b"),
    "stake 0": changed(item__bet_amount=0, data__total_bet_amount=2500),
    "stake -0": swapped(FIRST_STAKE, b'"bet_amount":-0.0}').replace(b"7500", b"2500"),
    "an exponent": swapped(FIRST_STAKE, b'"bet_amount":5e3}'),
    "trailing zeros": swapped(FIRST_STAKE, b'"bet_amount":5000.000}'),
    "500 items": sized(500),
    "data with a login": changed("login", data={"x": 1}),
    "winloss under minus the stake, which the wallet judges": changed(
        "bet_result_fraction", item__winloss=-6000, data__total_winloss=-6000
    ),
    "a change that tells no results": changed("result_change_down", data__result_before=...),
    "the highest stake": changed(
        data__currency="JPY",
        data__bets=[{"bet_index": "1", "bet_type": "P", "bet_amount": AMOUNT_MAX}],
        data__total_bet_amount=AMOUNT_MAX,
    ),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_a_harmless_oddity_is_accepted(text: bytes):
    """A harmless oddity is accepted."""
    PROFILE.decode(text, PROVIDER, 7)


def test_both_names_of_a_change_are_the_same_command():
    """Both names of a change are the same command."""
    text = swapped(b"bet_result_change", b"result_change", "result_change_down")
    incoming = PROFILE.decode(text, PROVIDER, 7)
    assert incoming.command == COMMANDS["result_change_down"]
    assert incoming.echo.event_type == "result_change"
    assert PROFILE.encode_event(incoming.command, 2, "result_change") == text


@pytest.mark.parametrize(
    ("sent", "timestamp_ms"),
    [
        (0, 0),
        (1771000001, 1771000001000),
        (10**11, 10**14),
        (10**11 + 1, 10**11 + 1),
        (1771000001234, 1771000001234),
    ],
)
def test_a_timestamp_over_1e11_is_milliseconds_and_is_echoed_as_sent(sent: int, timestamp_ms: int):
    """A timestamp over 1e11 is milliseconds and is echoed as sent."""
    incoming = PROFILE.decode(changed(timestamp=sent), PROVIDER, 7)
    assert incoming.command.timestamp_ms == timestamp_ms
    assert incoming.echo.timestamp == sent


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        (changed(data=...), Echo("bet", 1771000001, "player-1")),
        (changed(event_type="jackpot"), Echo("jackpot", 1771000001, "player-1")),
        (changed(event_type=...), Echo(None, 1771000001, "player-1")),
        (changed(user_id=5, timestamp="x"), Echo("bet")),
        (changed(timestamp=True), Echo("bet", None, "player-1")),
        (changed(timestamp=10**30), Echo("bet", None, "player-1")),
        (b"{", Echo()),
        (b"[]", Echo()),
    ],
)
def test_an_invalid_event_is_echoed_as_far_as_it_can_be_read(text: bytes, echo: Echo):
    """An invalid event is echoed as far as it can be read."""
    with pytest.raises(Invalid) as caught:
        PROFILE.decode(text, PROVIDER, 7)
    assert caught.value.echo == echo


def test_a_key_check_that_finds_too_few_keys_looks_closely():
    """A key check that finds too few keys looks closely."""
    assert not has_repeated_key(b'{"a":1,"b":2}', 1, "")
    assert has_repeated_key(b'{"a":1,"a":2}', 1, "")


@pytest.mark.parametrize(
    "wrapped",
    [
        b" \r\n%s\n\t ",
        b'"%s"',
        b'\n"%s" ',
        b'" %s\\n"',
    ],
)
def test_a_body_may_be_bare_in_white_space_or_a_json_string(wrapped: bytes):
    """A body may be bare in white space or a json string."""
    assert PROVIDER.open(wrapped % body_of("login"), KEY) == text_of("login")


def test_a_json_string_may_escape_its_slashes_as_php_does():
    """A json string may escape its slashes as php does."""
    assert b"/" in body_of("login")
    assert PROVIDER.open(b'"%s"' % body_of("login").replace(b"/", b"\\/"), KEY) == text_of("login")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b'"',
        b'""',
        b'"%s' % body_of("login"),
        b'"%s"x' % body_of("login"),
        b"{}",
        text_of("login"),
        body_of("login")[:-1],
        body_of("login")[:-4],
        body_of("login") + b"=",
        body_of("login") + b"====",
        body_of("login") + b"AAAA",
        body_of("login").replace(b"/", b"_"),
        body_of("login")[:8] + b"\n" + body_of("login")[8:],
        "ä".encode(),
        b"\xff\xfe",
        b'"\xff"',
    ],
)
def test_any_other_body_fails_to_open(body: bytes):
    """Any other body fails to open."""
    with pytest.raises(DecryptionError) as caught:
        PROVIDER.open(body, KEY)
    assert caught.value.args == ()


def test_a_json_string_reply_is_quoted():
    """A json string reply is quoted."""
    quoted = build_provider(
        random_bytes=os.urandom, name="q", api_id="a", api_key=API_KEY, currencies={"KRW": 2}, reply_body="json-string"
    )
    assert quoted.seal(text_of("reply_r0"), quoted.keys[0]) == b'"%s"' % body_of("reply_r0")
    assert quoted.headers(quoted.keys[0])["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "@back-office"}, "name"),
        ({"profile": "dowinn-v9"}, "profile"),
        ({"cipher": "rot13"}, "cipher"),
        ({"key_encoding": "rot13"}, "encoding"),
        ({"api_id": ""}, "api_id"),
        ({"api_id": "a\r\nb"}, "header"),
        ({"api_key": ""}, "32 bytes"),
        ({"api_key": "SECRET"}, "32 bytes"),
        ({"previous_api_key": "SECRET"}, "32 bytes"),
        ({"api_key": "SECRET" + "\n" * 26}, "header"),
        ({"reply_body": "xml"}, "reply_body"),
        ({"currencies": {"KRW": 9}}, "KRW"),
    ],
)
def test_a_wrong_setting_is_refused_in_clear_words(change: dict, words: str):
    """A wrong setting is refused in clear words."""
    settings = {"name": "x", "api_id": "a", "api_key": API_KEY, "currencies": {"KRW": 2}} | change
    with pytest.raises(ValueError, match=words) as caught:
        build_provider(random_bytes=os.urandom, **settings)
    assert "SECRET" not in str(caught.value)


def test_a_key_never_shows():
    """A key never shows."""
    assert API_KEY not in repr(PROVIDER)
    assert API_KEY not in repr(KEY)
