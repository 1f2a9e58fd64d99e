"""Row 14, and row 11 for every kind of event: batches that do not add up."""

from __future__ import annotations

from seamless_wallet.commands import ITEMS_MAX
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, CaseEvent
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import Phase, cases_of

case = cases_of(Phase.SCHEMA)


def with_items(event: CaseEvent, path: str, count: int) -> CaseEvent:
    """An event of so many items, each as its first one."""
    data = event.fields["data"]
    items = [data[path][0] | {"bet_index": str(number)} for number in range(count)]
    made = event.put("data.total_bet_amount", data["total_bet_amount"] * count)
    return made.put(f"data.{path}", items, f"{count} items")


async def round_of_everything(player: CasePlayer) -> dict[str, CaseEvent]:
    """A good event of each kind, for a round in which it would be R0 and move money."""
    game, cancelled = player.round(), player.round()
    await game.bet(100, 100).gets(R0, moves=-200)
    await cancelled.bet(100, 100).gets(R0, moves=-200)
    result = game.result((100, 0), (100, 0))
    await game.bet(100, at=3).gets(R0, moves=-100)
    await game.result((100, 50), at=3).gets(R0, moves=150)
    return {
        "bets": player.round().bet(100, 100),
        "bet_cancels": cancelled.cancel(100, 100),
        "bet_results": result,
        "change": game.change((100, 50, 0), at=3),
    }


@case("14")
async def totals_that_are_no_sums(context: CaseContext) -> None:
    """A total that is more or less than its items: R3 for every kind of event."""
    player = await context.player()
    totals = {
        "bets": ("total_bet_amount",),
        "bet_cancels": ("total_bet_cancel_amount",),
        "bet_results": ("total_bet_amount", "total_winloss"),
        "change": ("total_bet_amount", "total_winloss", "total_winloss_before"),
    }
    events = await round_of_everything(player)
    for kind, names in totals.items():
        for name in names:
            for wrong in (7, -7):
                await events[kind].renewed().put(f"data.{name}", wrong).refused()


@case("14")
async def one_bet_twice_in_a_batch(context: CaseContext) -> None:
    """A bet_index twice in one event: R3 for every kind of event, and nothing counts once or twice."""
    player = await context.player()
    for event in (await round_of_everything(player)).values():
        (name,) = [name for name in event.fields["data"] if name.startswith("bet")]
        items = event.fields["data"][name]
        await event.put(f"data.{name}", [items[0], items[0]], "one bet twice").refused()


@case("14")
async def batch_of_500(context: CaseContext) -> None:
    """500 items, the largest batch: R0, and all of them are taken."""
    player = await context.player()
    await with_items(player.round().bet(3), "bets", ITEMS_MAX).gets(R0, moves=-3 * ITEMS_MAX)


@case("11")
async def fields_missing_in_other_events(context: CaseContext) -> None:
    """Without what moves money, cancels, results and changes are R3."""
    player = await context.player()
    events = await round_of_everything(player)
    for path in ("data.total_bet_cancel_amount", "data.bet_cancels.0.bet_amount", "data.bet_cancels.0.bet_index"):
        await events["bet_cancels"].renewed().drop(path).refused()
    for path in ("data.total_bet_amount", "data.total_winloss", "data.bet_results.0.winloss", "data.bet_results"):
        await events["bet_results"].renewed().drop(path).refused()
        await events["change"].renewed().drop(path).refused()
    for path in ("data.total_winloss_before", "data.bet_results.0.winloss_before"):
        await events["change"].renewed().drop(path).refused()
