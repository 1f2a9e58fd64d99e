"""Row 14, and row 11 for the fields of a batch: totals, repeated bets, and the largest batch."""

from __future__ import annotations

from seamless_wallet.commands import ITEMS_MAX
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, CaseEvent
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.SCHEMA)


async def good_events(player: CasePlayer) -> dict[str, CaseEvent]:
    """A good event of each kind, not sent yet, by the name of its batch: it would be R0 and move money."""
    game, cancelled = await player.placed(100, 100), await player.placed(100, 100)
    result = game.result((100, 0), (100, 0))
    await game.bet(100, at=3).gets(R0, moves=-100)
    await game.result((100, 50), at=3).gets(R0, moves=150)
    return {
        "bets": player.round().bet(100, 100),
        "bet_cancels": cancelled.cancel(100, 100),
        "bet_results": result,
        "change": game.change((100, 50, 0), at=3),
    }


@case("14", SHOULD)
async def totals_that_are_no_sums(context: CaseContext) -> None:
    """A total is not the sum of its items: R3 for every kind of event."""
    player = await context.player()
    totals = {
        "bets": ("total_bet_amount",),
        "bet_cancels": ("total_bet_cancel_amount",),
        "bet_results": ("total_bet_amount", "total_winloss"),
        "change": ("total_bet_amount", "total_winloss", "total_winloss_before"),
    }
    events = await good_events(player)
    for kind, names in totals.items():
        for name in names:
            for wrong in (7, -7):
                await events[kind].renewed().put(f"data.{name}", wrong).refused()


@case("14", SHOULD)
async def one_bet_twice_in_a_batch(context: CaseContext) -> None:
    """A bet_index occurs twice in one event: R3 for every kind of event, nothing moves."""
    player = await context.player()
    for event in (await good_events(player)).values():
        (name,) = [name for name in event.fields["data"] if name.startswith("bet")]
        items = event.fields["data"][name]
        await event.put(f"data.{name}", [items[0], items[0]], "one bet twice").refused()


@case("14", OURS)
async def batch_of_500(context: CaseContext) -> None:
    """500 items, the most that a batch may have: R0, and all are taken."""
    player = await context.player()
    bet = player.round().bet(*[3] * ITEMS_MAX).noted(f"{ITEMS_MAX} items")
    await bet.gets(R0, moves=-3 * ITEMS_MAX)


@case("11", SHOULD)
async def fields_missing_in_other_events(context: CaseContext) -> None:
    """A field that moves money is missing in a cancel, a result or a change: R3."""
    player = await context.player()
    events = await good_events(player)
    for path in ("data.total_bet_cancel_amount", "data.bet_cancels.0.bet_amount", "data.bet_cancels.0.bet_index"):
        await events["bet_cancels"].renewed().drop(path).refused()
    for path in ("data.total_bet_amount", "data.total_winloss", "data.bet_results.0.winloss", "data.bet_results"):
        await events["bet_results"].renewed().drop(path).refused()
        await events["change"].renewed().drop(path).refused()
    for path in ("data.total_winloss_before", "data.bet_results.0.winloss_before"):
        await events["change"].renewed().drop(path).refused()
