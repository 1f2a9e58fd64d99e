"""What still holds when many events arrive at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from decimal import Decimal
from typing import TypeVar

from seamless_wallet.commands import Code
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.case_events import R0, R3, CaseEvent
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import MUST, SHOULD, Phase, cases_of
from seamless_wallet.providers import Reply

T = TypeVar("T")

case = cases_of(Phase.CONCURRENCY)

COPIES = 50
BETS, COVERED = 100, 37


async def at_once(events: Iterable[CaseEvent]) -> list[Reply]:
    """Their replies, all sent at the same time; what is R1 is sent again."""
    return await all_of(event.deliver() for event in events)


async def all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All at the same time, each to its end: a failure leaves no other call behind, which would move money later."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    results: list[T] = []
    for result in ended:
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results


def check_codes(replies: list[Reply], **expected: int) -> None:
    """Whether there are so many replies of each code. Raises CaseFailed."""
    counts = {code.value: count for code, count in Counter(reply.code for reply in replies).items()}
    if counts != {code: count for code, count in expected.items() if count}:
        raise CaseFailed(f"expected {expected}; got {counts}")


def shown(replies: list[Reply]) -> str:
    """What each reply is to, with its code."""
    return ", ".join(f"{reply.event_type} {reply.code.value}" for reply in replies)


async def moved(player: CasePlayer, replies: list[Reply], moves: int) -> None:
    """Whether all events together moved this, and each reply told a balance on the way there. Raises CaseFailed."""
    low, high = (
        Decimal(minor).scaleb(-player.scale) + player.fraction for minor in sorted((player.has, player.has + moves))
    )
    for reply in replies:
        told = reply.latest_balance
        if told is None and reply.code is R0:
            raise CaseFailed("an R0 without latest_balance")
        if told is not None and not low <= told <= high:
            raise CaseFailed(f"a reply told the balance {told}, but it was between {low} and {high} throughout")
    player.balance = player.has + moves
    await player.login().gets(R0)


@case("always", MUST)
async def bets_against_money_for_some(context: CaseContext) -> None:
    """100 bets at once against money for 37: 37 are R0, 63 R4, and just those 37 are taken."""
    player = await context.player(COVERED * COVERED * 10 + 11)
    stake = (player.has - 1) // COVERED
    replies = await at_once([player.round().bet(stake) for _ in range(BETS)])
    check_codes(replies, R0=COVERED, R4=BETS - COVERED)
    await moved(player, replies, -COVERED * stake)


@case("always", MUST)
async def bets_of_one_round_against_money_for_some(context: CaseContext) -> None:
    """100 bets of one round at once against money for 37: 37 are R0, 63 R4, because each index is a bet of its own."""
    player = await context.player(COVERED * COVERED * 10 + 11)
    game, stake = player.round(), (player.has - 1) // COVERED
    replies = await at_once([game.bet(stake, at=number) for number in range(1, BETS + 1)])
    check_codes(replies, R0=COVERED, R4=BETS - COVERED)
    await moved(player, replies, -COVERED * stake)


@case("always", MUST)
async def copies_of_a_bet(context: CaseContext) -> None:
    """50 copies of one bet at once: R0 for all, one movement."""
    player = await context.player()
    bet = player.round().bet(1234)
    replies = await at_once([bet] * COPIES)
    check_codes(replies, R0=COPIES)
    await moved(player, replies, -1234)


@case("always", MUST)
async def copies_of_a_bet_under_other_ids(context: CaseContext) -> None:
    """50 events place the same bet at once: R0 for all, one movement."""
    player = await context.player()
    bet = player.round().bet(1234)
    replies = await at_once([bet.renewed() for _ in range(COPIES)])
    check_codes(replies, R0=COPIES)
    await moved(player, replies, -1234)


@case("always", MUST)
async def copies_of_a_declined_bet(context: CaseContext) -> None:
    """50 copies of a bet that the balance does not cover, at once: R4 for all, nothing moves."""
    player = await context.player()
    bet = player.round().bet(player.has + 1)
    replies = await at_once([bet] * COPIES)
    check_codes(replies, R4=COPIES)
    await moved(player, replies, 0)


@case("always", MUST)
async def copies_of_a_cancel(context: CaseContext) -> None:
    """50 copies of one cancel at once: R0 for all, one refund."""
    player = await context.player()
    game = await player.placed(1234)
    replies = await at_once([game.cancel(1234)] * COPIES)
    check_codes(replies, R0=COPIES)
    await moved(player, replies, 1234)


@case("always", MUST)
async def copies_of_a_result(context: CaseContext) -> None:
    """50 copies of one result at once, half of them under ids of their own: R0 for all, one credit."""
    player = await context.player()
    game = await player.placed(1234)
    result = game.result((1234, 1111))
    replies = await at_once([result, result.renewed()] * (COPIES // 2))
    check_codes(replies, R0=COPIES)
    await moved(player, replies, 1234 + 1111)


@case("always", MUST)
async def copies_of_a_change(context: CaseContext) -> None:
    """50 copies of one change at once: R0 for all, applied once."""
    player = await context.player()
    game = await player.settled((1234, 1111))
    replies = await at_once([game.change((1234, 1111, -1234))] * COPIES)
    check_codes(replies, R0=COPIES)
    await moved(player, replies, -2345)


@case("always", MUST)
async def cancel_against_result(context: CaseContext) -> None:
    """Cancels and results of one bet at once: either all cancels are R0 and all results R3, or the other way round."""
    player = await context.player()
    for turn in range(6):
        game = await player.placed(500)
        events = [game.cancel(500), game.result((500, 475))] * 5
        replies = await at_once(events[turn % 2 :])
        kinds = {reply.event_type for reply in replies if reply.code is R0}
        if len(kinds) != 1 or any((reply.code is R0) is not (reply.event_type in kinds) for reply in replies):
            raise CaseFailed(f"expected R0 for one kind and R3 for the other; got {shown(replies)}")
        await moved(player, replies, 500 if "bet_cancel" in kinds else 975)


@case("always", SHOULD)
async def cancel_against_bet(context: CaseContext) -> None:
    """A bet and its cancel at once, in either order: the stake is not lost, and the bet is cancelled."""
    context.needs("cancel_unknown", "tombstone")
    player = await context.player()
    for number in range(10):
        game = player.round()
        events = [game.bet(500), game.cancel(500)]
        replies = await at_once(events[:: -1 if number % 2 else 1])
        codes = {reply.event_type: reply.code for reply in replies}
        if codes.get("bet_cancel") is not R0 or codes.get("bet") not in {R0, R3}:
            raise CaseFailed(f"expected R0 for the cancel and R0 or R3 for the bet; got {shown(replies)}")
        await player.login().gets(R0)
        await game.bet(500).gets(R3)


@case("always", SHOULD)
async def conflicting_copies(context: CaseContext) -> None:
    """Twenty amounts under one transaction_id at once: one is R0 and taken, the others are R3."""
    player = await context.player()
    game = player.round()
    bet = game.bet(100)
    events = [game.bet(101 + number).put("transaction_id", bet.fields["transaction_id"]) for number in range(20)]
    replies = await at_once(events)
    check_codes(replies, R0=1, R3=19)
    (winner,) = [number for number, reply in enumerate(replies) if reply.code is R0]
    await moved(player, replies, -101 - winner)


@case("always", MUST)
async def whole_rounds_with_retries(context: CaseContext) -> None:
    """Twelve rounds at once, every event three times and results before their bets: the balance is exact."""
    player = await context.player()

    async def whole_round(number: int) -> int:
        game, stake, winloss = player.round(), 100 + number, 95 - 7 * number
        bet, result = game.bet(stake), game.result((stake, winloss))
        replies = await all_of([until_decided(result), *(bet.deliver() for _ in range(3))])
        replies += await at_once([result, bet, result])
        codes = {reply.code for reply in replies}
        if codes != {R0}:
            raise CaseFailed(f"expected R0 for every event of a round; got {sorted(codes)}")
        return winloss

    total = sum(await all_of(whole_round(number) for number in range(12)))
    player.balance = player.has + total
    await player.login().gets(R0)


async def until_decided(event: CaseEvent) -> Reply:
    """Send it until it is not R1, as the provider does."""
    for _ in range(8):
        reply = await event.deliver()
        if reply.code is not Code.R1:
            break
    return reply


@case("always", MUST)
async def players_at_once(context: CaseContext) -> None:
    """Two players at once in rounds of the same numbers: nobody gets the other's money."""
    player, other = await context.player(), await context.player()

    async def play(who: CasePlayer, stake: int, winloss: int, rounds: list[str]) -> None:
        for game_no in rounds:
            game = who.round(game_no)
            await game.bet(stake).gets(R0, moves=-stake)
            await game.result((stake, winloss)).gets(R0, moves=stake + winloss)

    rounds = [context.unique_id() for _ in range(10)]
    await all_of([play(player, 100, 95, rounds), play(other, 300, -300, rounds)])
