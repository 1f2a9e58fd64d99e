"""Rows 14, 15 and 17: too few or too many items, numbers that are no amounts, wrong currencies."""

from __future__ import annotations

from decimal import Decimal

from seamless_wallet.commands import ITEMS_MAX
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseSkipped
from seamless_wallet.conformance.case_events import R0, R3, R4, CaseEvent
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of
from seamless_wallet.conformance.cases.schema import money_of
from seamless_wallet.money import AMOUNT_MAX, json_number

case = cases_of(Phase.SCHEMA)


def bet_of(player: CasePlayer, text: str) -> CaseEvent:
    """A bet whose amount and total are written just so."""
    return player.round().bet(100).literally({"data.bets.0.bet_amount": text, "data.total_bet_amount": text})


@case("14", SHOULD)
async def batch_of_nothing(context: CaseContext) -> None:
    """A bet, cancel, result or change without items, with totals of 0: R3."""
    player = await context.player()
    for money in await money_of(player):
        empty = money.event.renewed().literally({amount.total: "0" for amount in money.amounts})
        await empty.put(f"data.{money.items}", []).refused()
        await money.is_good()


@case("14", OURS)
async def batch_of_501(context: CaseContext) -> None:
    """501 items in a bet, cancel, result or change: R3, nothing moves."""
    unit, count = 10**context.scale, ITEMS_MAX + 1
    player = await context.player(3 * count * unit)
    cancelled, settled, changed = player.round(), player.round(), player.round()
    for game in (cancelled, settled, changed):
        await game.bet(*[unit] * ITEMS_MAX).gets(R0, moves=-unit * ITEMS_MAX)
        await game.bet(unit, at=count).gets(R0, moves=-unit)
    await changed.result(*[(unit, 0)] * ITEMS_MAX).gets(R0, moves=unit * ITEMS_MAX)
    await changed.result((unit, 0), at=count).gets(R0, moves=unit)
    events = (
        player.round().bet(*[1] * count),
        cancelled.cancel(*[unit] * count),
        settled.result(*[(unit, 0)] * count),
        changed.change(*[(unit, 0, unit)] * count),
    )
    if max(len(context.webhook.seal(event.text)) for event in events) > context.choices.body_bytes_max:
        raise CaseSkipped(f"{count} items are over --body-bytes-max")
    for event in events:
        await event.refused()


@case("15", SHOULD)
async def negative_stakes(context: CaseContext) -> None:
    """A stake below 0: R3 for every kind of event, nothing moves."""
    player = await context.player()
    for money in await money_of(player):
        stake = money.amounts[0]
        await stake.refused_as("-1", f"-{stake.value:f}", "-0.01", "-1e9")
        await money.is_good()


@case("15", MUST)
async def a_negative_stake_gives_no_money(context: CaseContext) -> None:
    """A bet of less than 0, with a total that agrees: R3, nothing moves. A good bet is still taken."""
    player = await context.player()
    for text in ("-1", "-100"):
        await bet_of(player, text).refused()
    await player.round().bet(100).gets(R0, moves=-100)


@case("15", MUST)
async def negative_stake_within_a_batch(context: CaseContext) -> None:
    """A negative stake in a batch whose total is right and positive: R3."""
    player = await context.player()
    bet = player.round().bet(500, 300)
    texts = {"data.bets.0.bet_amount": "5", "data.bets.1.bet_amount": "-3", "data.total_bet_amount": "2"}
    await bet.literally(texts).refused()


@case("15", SHOULD)
async def not_a_number(context: CaseContext) -> None:
    """NaN and Infinity, as numbers or as texts, for any amount or total: R3."""
    player = await context.player()
    for money in await money_of(player):
        for amount in money.amounts:
            await amount.refused_as("NaN", "Infinity", "-Infinity", "nan", '"NaN"', '"Infinity"', '"inf"')
        await money.is_good()


@case("15", SHOULD)
async def exponents_beyond_measure(context: CaseContext) -> None:
    """1e400, which overflows a double, or 1e999999, which takes minutes to write out: R3 at once."""
    player = await context.player()
    for money in await money_of(player):
        for amount in money.amounts:
            await amount.refused_as("1e400", "1e999999", "1E+999999999999999999999", "1e-400", "1e-999999", "-1e400")
        await money.is_good()


@case("15", SHOULD)
async def finer_than_the_currency(context: CaseContext) -> None:
    """An amount or total with one decimal digit more than the currency has: R3, and it is not rounded."""
    player = await context.player()
    finest = "0." + "0" * context.scale
    texts = (f"{finest}1", f"1{finest[1:]}5", f"10{finest[1:]}4", f"1e-{context.scale + 1}")
    more = Decimal(1).scaleb(-context.scale - 1)
    for money in await money_of(player):
        for amount in money.amounts:
            await amount.refused_as(*texts, f"{amount.value + more:f}", f"{amount.value - more:f}")
        await money.is_good()


@case("15", MUST)
async def zeros_at_the_end_are_no_finer(context: CaseContext) -> None:
    """1.000000000, 1e0, 10e-1 and 0.1E+1 are all 1: R0."""
    unit = 10**context.scale
    player = await context.player(100 * unit)
    for text in ("1.000000000", "1e0", "10e-1", "0.1E+1"):
        await bet_of(player, text).gets(R0, moves=-unit)


@case("15", OURS)
async def largest_amount(context: CaseContext) -> None:
    """2^53 − 1 minor units are an amount (here R4, for want of money); more is not: R3 in any event."""
    player = await context.player()
    await bet_of(player, json_number(AMOUNT_MAX, context.scale)).gets(R4)
    for money in await money_of(player):
        for amount in money.amounts:
            wrapped = 2**64 + int(amount.value.scaleb(context.scale))  # 64 bits would take it for the right one
            minors = (AMOUNT_MAX + 1, AMOUNT_MAX + 2, 2**63, wrapped, 10**30)
            await amount.refused_as(*[json_number(minor, context.scale) for minor in minors])
        await money.is_good()


@case("15", OURS)
async def winloss_that_is_no_amount(context: CaseContext) -> None:
    """NaN, 1e400, more than 2^53 − 1 or too many digits as the winloss of a result or a change: R3."""
    player = await context.player()
    finest = "0." + "0" * context.scale + "1"
    caps = [json_number(minor, context.scale) for minor in (AMOUNT_MAX + 1, -AMOUNT_MAX - 1)]
    for money in await money_of(player):
        for amount in money.amounts[1:]:
            await amount.refused_as("NaN", "1e400", *caps, finest, f"-{finest}")
        await money.is_good()


@case("17", MUST)
async def another_currency(context: CaseContext) -> None:
    """The currency is not the player's: R3 for every kind of event."""
    player = await context.player()
    other = "USD" if context.currency != "USD" else "EUR"
    game = player.round()
    await player.round().bet(100).put("data.currency", other).gets(R3, whole_echo=False)
    await game.bet(100).gets(R0, moves=-100)
    await game.cancel(100).put("data.currency", other).refused()
    await game.result((100, 95)).put("data.currency", other).refused()
    await game.result((100, 95)).gets(R0, moves=195)


@case("17", SHOULD)
async def unknown_currencies(context: CaseContext) -> None:
    """The currency does not exist, is misspelt or empty: R3."""
    player = await context.player()
    for currency in ("XXX", context.currency.lower(), f"{context.currency} ", ""):
        await player.round().bet(100).put("data.currency", currency).refused()
