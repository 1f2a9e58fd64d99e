"""Rows 1 and 2: a retry gets the code of the first time and moves nothing; a used id with other content is R3."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R3
from seamless_wallet.conformance.case_registry import MUST, SHOULD, Phase, cases_of

case = cases_of(Phase.IDENTITY)


@case("1", MUST)
async def repeated_bet(context: CaseContext) -> None:
    """The same bet comes three times: R0 each time, taken once."""
    player = await context.player()
    bet = player.round().bet(500, 20)
    await bet.gets(R0, moves=-520)
    await bet.gets(R0)
    await bet.gets(R0)


@case("1", MUST)
async def repeated_cancel(context: CaseContext) -> None:
    """The same cancel three times: R0 each time, refunded once."""
    player = await context.player()
    game = await player.placed(500)
    cancel = game.cancel(500)
    await cancel.gets(R0, moves=500)
    await cancel.gets(R0)
    await cancel.gets(R0)


@case("1", MUST)
async def repeated_result(context: CaseContext) -> None:
    """The same result three times: R0 each time, credited once."""
    player = await context.player()
    game = await player.placed(500)
    result = game.result((500, 475))
    await result.gets(R0, moves=975)
    await result.gets(R0)
    await result.gets(R0)


@case("1", MUST)
async def repeated_change(context: CaseContext) -> None:
    """The same change three times, down and up: R0 each time, applied once."""
    player = await context.player()
    for before, after in ((475, -500), (-500, 475)):
        game = await player.settled((500, before))
        change = game.change((500, before, after))
        await change.gets(R0, moves=after - before)
        await change.gets(R0)
        await change.gets(R0)


@case("1", MUST)
async def repeated_login_and_logout(context: CaseContext) -> None:
    """The same login and the same logout twice: R0."""
    player = await context.player()
    for event in (player.login(), player.logout()):
        await event.gets(R0)
        await event.gets(R0)


@case("1", MUST)
async def retry_tells_the_balance_of_now(context: CaseContext) -> None:
    """A retry tells the balance after all that has happened since, and moves nothing."""
    player = await context.player()
    bet = player.round().bet(500)
    await bet.gets(R0, moves=-500)
    await player.round().bet(33).gets(R0, moves=-33)
    await bet.gets(R0)


@case("1", MUST)
async def retry_after_the_round_is_over(context: CaseContext) -> None:
    """A bet and a result come again after their bet was cancelled, settled or changed: R0, nothing moves."""
    player = await context.player()
    game, other = player.round(), player.round()
    bet, cancel = game.bet(500), game.cancel(500)
    await bet.gets(R0, moves=-500)
    await cancel.gets(R0, moves=500)
    await bet.gets(R0)
    settled, result = other.bet(200), other.result((200, 190))
    await settled.gets(R0, moves=-200)
    await result.gets(R0, moves=390)
    await other.change((200, 190, -200)).gets(R0, moves=-390)
    await settled.gets(R0)
    await result.gets(R0)


@case("1", SHOULD)
async def retry_with_another_timestamp_and_more_fields(context: CaseContext) -> None:
    """A retry has a new timestamp, more fields or another bet_type: it is still the same event, R0."""
    player = await context.player()
    bet = player.round().bet(500)
    await bet.gets(R0, moves=-500)
    await bet.stamped(3).gets(R0)
    await bet.put("attempt", 2).put("data.dealer", "Kim").gets(R0)
    await bet.put("feedback_data", "another").put("data.bets.0.bet_type", "player").gets(R0)
    await bet.put("data.table_no", "8").gets(R0)


@case("1", SHOULD)
async def retry_with_its_items_in_another_order(context: CaseContext) -> None:
    """A retry has its items in another order: it is still the same event, R0."""
    player = await context.player()
    bet = player.round().bet(500, 70)
    await bet.gets(R0, moves=-570)
    await bet.put("data.bets", bet.fields["data"]["bets"][::-1], "items in another order").gets(R0)


@case("1", SHOULD)
async def retry_with_its_amounts_written_otherwise(context: CaseContext) -> None:
    """A retry writes its amounts as 5, 5.0 or 0.5e1: it is still the same event, R0."""
    unit = 10**context.scale
    player = await context.player(100 * unit)
    bet = player.round().bet(5 * unit)
    await bet.gets(R0, moves=-5 * unit)
    for text in ("5.0", "0.5e1", "50E-1"):
        await bet.literally({"data.bets.0.bet_amount": text, "data.total_bet_amount": text}).gets(R0)


@case("2", SHOULD)
async def conflict_of_amounts(context: CaseContext) -> None:
    """The same transaction_id with another amount: R3, nothing moves. The first event is still R0."""
    player = await context.player()
    game = player.round()
    bet = game.bet(500)
    await bet.gets(R0, moves=-500)
    await game.bet(600).put("transaction_id", bet.fields["transaction_id"], "the id of a bet of 500").gets(R3)
    await bet.gets(R0)
    await game.cancel(500).gets(R0, moves=500)


@case("2", SHOULD)
async def conflict_of_rounds(context: CaseContext) -> None:
    """The same transaction_id for another round, index or number of bets: R3, and no bet is placed."""
    player = await context.player()
    game, other = player.round(), player.round()
    bet = game.bet(500)
    await bet.gets(R0, moves=-500)
    for event in (other.bet(500), game.bet(500, at=2), game.bet(500, 10)):
        await event.put("transaction_id", bet.fields["transaction_id"], "an id that is taken").gets(R3)
    await other.bet(500).gets(R0, moves=-500)


@case("2", SHOULD)
async def conflict_of_kinds(context: CaseContext) -> None:
    """A cancel, a result or a logout has the transaction_id of a bet: R3, nothing moves."""
    player = await context.player()
    game = player.round()
    bet = game.bet(500)
    await bet.gets(R0, moves=-500)
    for event in (game.cancel(500), game.result((500, 475)), player.logout()):
        await event.put("transaction_id", bet.fields["transaction_id"], "the id of a bet").gets(R3)
    await game.result((500, 475)).gets(R0, moves=975)


@case("2", SHOULD)
async def conflict_of_results(context: CaseContext) -> None:
    """Another winloss under the transaction_id of a result: R3, nothing moves."""
    player = await context.player()
    game = await player.placed(500)
    result = game.result((500, 475))
    await result.gets(R0, moves=975)
    await game.result((500, 600)).put("transaction_id", result.fields["transaction_id"], "a used id").gets(R3)
    await result.gets(R0)


@case("2", SHOULD)
async def conflict_of_values_before(context: CaseContext) -> None:
    """Another `winloss_before` under the transaction_id of a change: R3, nothing moves."""
    player = await context.player()
    game = await player.settled((500, 475))
    change = game.change((500, 475, -500))
    await change.gets(R0, moves=-975)
    await game.change((500, 474, -500)).put("transaction_id", change.fields["transaction_id"], "a used id").gets(R3)
    await change.gets(R0)
