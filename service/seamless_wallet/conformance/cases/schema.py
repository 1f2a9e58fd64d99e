"""Rows 11 and 12: texts that decrypt but are no event. Every field is required, has a type, and occurs once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from seamless_wallet.clients.error_text import excerpt
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R3, CaseEvent, check_code, literal
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.SCHEMA)

TEXTS = ("transaction_id", "event_type", "user_id", "data.currency", "data.game_no", "data.bets.0.bet_index")
NUMBERS = ("timestamp", "data.total_bet_amount", "data.bets.0.bet_amount")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of an event with one item, and the total that is the same."""

    event: CaseEvent
    path: str
    total: str
    value: Decimal

    async def refused_as(self, *texts: str) -> None:
        """R3 with each of these as the amount and the total, as the amount alone, as the total alone."""
        for text in texts:
            for paths in ((self.path, self.total), (self.path,), (self.total,)):
                await self.event.renewed().literally(dict.fromkeys(paths, text)).refused()


@dataclass(frozen=True, slots=True)
class Money:
    """A good event that was not sent yet, with one item, and what it will move."""

    event: CaseEvent
    moves: int

    @property
    def items(self) -> str:
        """The name of its batch."""
        (name,) = [name for name, value in self.event.fields["data"].items() if isinstance(value, list)]
        return str(name)

    @property
    def amounts(self) -> list[Amount]:
        """Each of its amounts."""
        data, path = self.event.fields["data"], f"data.{self.items}.0"
        totals = {"bet_amount": "total_bet_cancel_amount" if self.items == "bet_cancels" else "total_bet_amount"}
        return [
            Amount(self.event, f"{path}.{name}", f"data.{totals.get(name, f'total_{name}')}", Decimal(value))
            for name, value in data[self.items][0].items()
            if name in {"bet_amount", "winloss", "winloss_before"}
        ]

    async def is_good(self) -> None:
        """Send the good event: R0. So the others were refused for nothing but what was wrong with them."""
        await self.event.gets(R0, moves=self.moves)


async def money_of(player: CasePlayer) -> list[Money]:
    """A good bet, cancel, result and change, each for a bet of its own."""
    game = await player.placed(100, 100, 100)
    await game.result((100, 50), at=3).gets(R0, moves=150)
    return [
        Money(player.round().bet(100), -100),
        Money(game.cancel(100, at=1), 100),
        Money(game.result((100, 95), at=2), 195),
        Money(game.change((100, 50, 95), at=3), 45),
    ]


async def text_is_refused(context: CaseContext, text: bytes) -> None:
    """Send a sealed text that is no event: a sealed R3."""
    check_code(await context.webhook.exchange(text), excerpt(text), R3)


@case("11", SHOULD)
async def not_json(context: CaseContext) -> None:
    """A text that is not JSON: R3. A login is still R0."""
    player = await context.player()
    for text in (b"", b" ", b"hello", b"{", b'{"event_type":"login"', b"{'event_type':'login'}", b"\x00" * 32):
        await text_is_refused(context, text)
    await player.login().gets(R0)


@case("11", SHOULD)
async def json_that_is_no_object(context: CaseContext) -> None:
    """JSON that is an array, a string, a number or null: R3. A login is still R0."""
    player = await context.player()
    for text in (b"[]", b'"login"', b"1", b"null", b"true", b"{}", b'[{"event_type":"login"}]'):
        await text_is_refused(context, text)
    await player.login().gets(R0)


@case("11", SHOULD)
async def json_with_something_behind(context: CaseContext) -> None:
    """A good event with something after it: R3, and nothing is taken."""
    player = await context.player()
    for tail in (b"x", b"{}", b"]", b"\x00"):
        await text_is_refused(context, player.round().bet(100).text + tail)


@case("11", SHOULD)
async def not_utf8(context: CaseContext) -> None:
    """Bytes that are not UTF-8, in a field that the wallet does not need: R3."""
    player = await context.player()
    for broken in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80"):
        text = player.round().bet(100).put("feedback_data", "?broken?").text
        await text_is_refused(context, text.replace(b"?broken?", broken))


@case("11", SHOULD)
async def nested_without_end(context: CaseContext) -> None:
    """Ten thousand nested brackets: R3 as the whole text, R0 or R3 in an unknown field."""
    player = await context.player()
    await text_is_refused(context, b"[" * 10_000)
    deep = literal("[" * 10_000 + "]" * 10_000)
    reply = await player.login().put("more", deep, "10000 brackets").deliver()
    check_code(reply, "10000 brackets in an unknown field", R0, R3)


@case("11", SHOULD)
async def fields_that_are_missing(context: CaseContext) -> None:
    """Any one field of a bet is missing: R3."""
    player = await context.player()
    for path in (*TEXTS, *NUMBERS, "data", "data.bets", "data.game_type", "data.table_no", "data.bets.0.bet_type"):
        await player.round().bet(100).drop(path).refused()


@case("11", SHOULD)
async def numbers_in_place_of_texts(context: CaseContext) -> None:
    """A number, null, list, object or boolean in place of a text: R3 for every kind of event."""
    player = await context.player()
    wrong: tuple[Any, ...] = (1, None, [], {}, True)
    for money in await money_of(player):
        for path in TEXTS:
            for value in wrong:
                await money.event.renewed().put(path.replace("bets", money.items), value).refused()
        await money.is_good()


@case("11", SHOULD)
async def texts_in_place_of_numbers(context: CaseContext) -> None:
    """A text, boolean, null, list or object in place of a number: R3 for every kind of event."""
    player = await context.player()
    wrong: tuple[Any, ...] = ("1", "1.00", " 1 ", True, None, [1], {})
    for money in await money_of(player):
        for value in (*wrong, str(money.event.fields["timestamp"])):
            await money.event.renewed().put("timestamp", value).refused()
        for amount in money.amounts:
            right = f"{amount.value:f}"
            await amount.refused_as(f'"{right}"', f'" {right} "', f"[{right}]", '"1"', "true", "null", "{}")
        await money.is_good()


@case("11", SHOULD)
async def amounts_as_texts_throughout(context: CaseContext) -> None:
    """All amounts and totals are texts, and agree with each other: R3 for every kind of event."""
    player = await context.player()
    for money in await money_of(player):
        texts = {path: f'"{each.value:f}"' for each in money.amounts for path in (each.path, each.total)}
        await money.event.renewed().literally(texts).refused()
        await money.is_good()


@case("11", SHOULD)
async def wrong_shapes(context: CaseContext) -> None:
    """An object in place of a list, or a list in place of an object: R3 for every kind of event."""
    player = await context.player()
    for money in await money_of(player):
        data, items = money.event.fields["data"], f"data.{money.items}"
        item = data[money.items][0]
        for path, value in ((items, item), (items, {"0": item}), ("data", [data])):
            await money.event.renewed().put(path, value).refused()
        for value in (None, "1", [item]):
            await money.event.renewed().put(f"{items}.0", value).refused()
        await money.is_good()


@case("11", SHOULD)
async def timestamps_that_are_none(context: CaseContext) -> None:
    """A timestamp with a fraction, below 0 or after the year 9999: R3."""
    player = await context.player()
    values: tuple[Any, ...] = (Decimal("1.5"), -1, literal("1e400"), 253_402_300_800_000, literal("9" * 40))
    for value in values:
        await player.round().bet(100).put("timestamp", value).refused()


@case("11", SHOULD)
async def keys_that_are_there_twice(context: CaseContext) -> None:
    """A key occurs twice, at any level, also written with an escape: R3, whichever value is right."""
    player = await context.player()
    for old, new in (
        (b'"total_bet_amount"', b'"total_bet_amount":9,"total_bet_amount"'),
        (b'"bet_amount"', b'"bet_amount":9,"bet_amount"'),
        (b'"bet_amount"', b'"bet_amoun\\u0074":9,"bet_amount"'),
        (b'"user_id"', b'"user_id":"nobody","user_id"'),
        (b'"transaction_id"', b'"transaction_id":"x","transaction_id"'),
        (b'"bets"', b'"bets":[],"bets"'),
        (b'"data"', b'"data":{},"data"'),
        (b'"timestamp"', b'"more":{"a":1,"a":1},"timestamp"'),
    ):
        await text_is_refused(context, player.round().bet(100).text.replace(old, new))


@case("11", SHOULD)
async def unknown_events(context: CaseContext) -> None:
    """An event_type that does not exist or is misspelt: R3."""
    player = await context.player()
    for name in ("deposit", "Bet", "BET", "bet ", "", "betcancel", "bet_results"):
        await player.round().bet(100).put("event_type", name).refused()


@case("11", SHOULD)
async def data_of_another_event(context: CaseContext) -> None:
    """The data of a bet under the event_type of a cancel, a result or a change: R3."""
    player = await context.player()
    for name in ("bet_cancel", "bet_result", "bet_result_change"):
        await player.round().bet(100).put("event_type", name).refused()


@case("12", MUST)
async def fields_that_nobody_knows(context: CaseContext) -> None:
    """Additional fields, of any type and at any level: R0."""
    player = await context.player()
    values: tuple[Any, ...] = ("x", 1, 1.5, None, True, [1, {"a": [None]}], {"b": {"c": []}})
    for value in values:
        bet = player.round().bet(100).put("more", value).put("data.more", value).put("data.bets.0.more", value)
        await bet.gets(R0, moves=-100)
    await player.login().put("data", {}, "a login with data").gets(R0)


@case("wire", OURS)
async def feedback_that_is_missing(context: CaseContext) -> None:
    """`feedback_data` is missing, null or empty: R0."""
    player = await context.player()
    await player.round().bet(100).drop("feedback_data").gets(R0, moves=-100)
    await player.round().bet(100).put("feedback_data", None).gets(R0, moves=-100)
    await player.round().bet(100).put("feedback_data", "").gets(R0, moves=-100)
