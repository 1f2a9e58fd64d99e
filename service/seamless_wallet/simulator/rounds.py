"""What a simulated player does: sessions, ordinary rounds, and the troubles of real life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.simulator.chaos import Chaos
from seamless_wallet.simulator.simulated_player import SimulatedPlayer

CHIPS: Final = (10, 20, 50, 100, 200, 500)
"""Stakes, in major units."""

BANKROLL: Final = 20_000
"""What a player gets at the start, and again whenever less than `POOR` is left. Major units."""

POOR: Final = 4_000

BET_TYPES: Final = ("player", "banker", "tie", "player_pair")
PAYOUTS_PERCENT: Final = (-100, -100, 0, 95, 100, 800)
"""What a bet may win or lose, in percent of its stake: 95 is a banker win at 5 % commission."""

# Probabilities of what is ordinary.
CANCELLED: Final = 0.1
CANCELLED_IN_PART: Final = 0.1
CHANGED: Final = 0.2
LEAVES_AND_RETURNS: Final = 0.1


async def play(player: SimulatedPlayer, rounds: int) -> None:
    """Log in, play the rounds, log out. Raises WrongAnswer at the first wrong answer."""
    if player.is_new and player.chance(player.chaos.orphaned):
        await _bet_without_session(player)
    await player.send(player.event(Kind.LOGIN))
    for _ in range(rounds):
        if player.oracle.balance < POOR * _unit(player):
            await _get_money(player)
        await _ordinary_round(player)
        for trouble, probability in _troubles(player.chaos):
            if player.chance(probability):
                await trouble(player)
        if player.chance(LEAVES_AND_RETURNS):
            await _log_out(player)
            await player.send(player.event(Kind.LOGIN))
        player.report.rounds += 1
    await _log_out(player)
    if player.chance(player.chaos.repeated):
        await _log_out(player)


def _troubles(chaos: Chaos) -> tuple[tuple[Callable[[SimulatedPlayer], Awaitable[None]], float], ...]:
    return (
        (_cancelled_first, chaos.cancelled_first),
        (_insufficient, chaos.insufficient),
        (_conflicting, chaos.conflicting),
        (_orphaned, chaos.orphaned),
        (_contradicting, chaos.contradicting),
        (_reordered, chaos.reordered),
        (_indebted, chaos.indebted),
    )


# ---------------------------------------------------------------------- pieces


def _unit(player: SimulatedPlayer) -> int:
    """Minor units of one major unit."""
    return int(10**player.scale)


def _batch(player: SimulatedPlayer) -> tuple[Item, ...]:
    """One to four bets, now and then with a fraction."""
    unit = _unit(player)
    items = []
    for index in range(player.rng.randint(1, 4)):
        stake = player.rng.choice(CHIPS) * unit
        if player.chance(0.2):
            stake += player.rng.randrange(unit)
        items.append(Item(str(index + 1), BET_TYPES[index], stake))
    return tuple(items)


def _settled(player: SimulatedPlayer, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The same bets with a result, net of the stake, rounded down to minor units."""
    return tuple(
        msgspec.structs.replace(item, winloss=item.amount * player.rng.choice(PAYOUTS_PERCENT) // 100) for item in items
    )


def _changed(player: SimulatedPlayer, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Another result for settled bets, each different from the one it had."""
    changed = []
    for item in items:
        others = {item.amount * percent // 100 for percent in PAYOUTS_PERCENT} - {item.winloss}
        winloss = player.rng.choice(sorted(others)) if others else item.winloss
        changed.append(msgspec.structs.replace(item, winloss=winloss, winloss_before=item.winloss))
    return tuple(changed)


async def _get_money(player: SimulatedPlayer) -> None:
    """Another bankroll: paid in by the back office, or else won in a round with a stake of one unit or less."""
    unit = _unit(player)
    if await player.deposit(BANKROLL * unit):
        return
    game_no, bet = player.next_game(), Item("1", "banker", min(unit, player.oracle.balance))
    await player.send(player.event(Kind.BET, game_no, (bet,)))
    win = msgspec.structs.replace(bet, winloss=BANKROLL * unit)
    await player.send(player.event(Kind.RESULT, game_no, (win,)))


async def _log_out(player: SimulatedPlayer) -> None:
    """Log out with a timestamp a second ahead, so that it is newer than a login of the same second."""
    await player.send(player.event(Kind.LOGOUT, timestamp_ms=player.now_ms() + 1000))


# ---------------------------------------------------------------------- the ordinary


async def _ordinary_round(player: SimulatedPlayer) -> None:
    """Bets; perhaps a cancel of all or some; a result of the rest; perhaps another result."""
    game_no, items = player.next_game(), _batch(player)
    if await player.send(player.event(Kind.BET, game_no, items)) is not Code.R0:
        return
    drawn = player.rng.random()
    if drawn < CANCELLED + CANCELLED_IN_PART:
        count = len(items) if drawn < CANCELLED else player.rng.randint(1, len(items))
        await player.send(player.event(Kind.CANCEL, game_no, items[:count]))
        items = items[count:]
    if not items:
        return
    settled = _settled(player, items)
    await player.send(player.event(Kind.RESULT, game_no, settled))
    if player.chance(CHANGED):
        await player.send(player.event(Kind.CHANGE, game_no, _changed(player, settled)))


# ---------------------------------------------------------------------- the extraordinary


async def _bet_without_session(player: SimulatedPlayer) -> None:
    game_no, items = player.next_game(), _batch(player)
    if await player.send(player.event(Kind.BET, game_no, items)) is Code.R0:  # sessions are not required
        await player.send(player.event(Kind.CANCEL, game_no, items))


async def _cancelled_first(player: SimulatedPlayer) -> None:
    """The cancel comes before its bet, which must not be taken then, unless the cancel was refused."""
    game_no, items = player.next_game(), _batch(player)
    await player.send(player.event(Kind.CANCEL, game_no, items))
    if await player.send(player.event(Kind.BET, game_no, items)) is Code.R0:
        await player.send(player.event(Kind.CANCEL, game_no, items))


async def _insufficient(player: SimulatedPlayer) -> None:
    """A declined bet stays declined when money comes; the same bet as a new event may then succeed."""
    game_no = player.next_game()
    stake = player.oracle.balance + player.rng.choice(CHIPS) * _unit(player)
    bet = player.event(Kind.BET, game_no, (Item("1", "banker", stake),))
    await player.send(bet)
    await _get_money(player)
    await player.send(bet)
    items = (Item("1", "banker", player.oracle.balance),)  # all of it
    if items[0].amount and await player.send(player.event(Kind.BET, game_no, items)) is Code.R0:
        await player.send(player.event(Kind.CANCEL, game_no, items))


async def _conflicting(player: SimulatedPlayer) -> None:
    """The same transaction_id, and the same bet, with another amount: both are refused, nothing changes."""
    game_no, items = player.next_game(), _batch(player)
    bet = player.event(Kind.BET, game_no, items)
    await player.send(bet)
    other = tuple(msgspec.structs.replace(item, amount=item.amount + 1) for item in items)
    await player.send(msgspec.structs.replace(bet, items=other))
    await player.send(player.event(Kind.BET, game_no, other))
    await player.send(player.event(Kind.RESULT, game_no, _settled(player, items)))


async def _orphaned(player: SimulatedPlayer) -> None:
    """The result comes before its bet; its retry settles the bet."""
    game_no, items = player.next_game(), _batch(player)
    result = player.event(Kind.RESULT, game_no, _settled(player, items))
    await player.send(result)
    if await player.send(player.event(Kind.BET, game_no, items)) is Code.R0:
        await player.send(result)


async def _contradicting(player: SimulatedPlayer) -> None:
    """Results and cancels that contradict what has happened to a bet."""
    game_no, items = player.next_game(), _batch(player)
    await player.send(player.event(Kind.BET, game_no, items))
    settled = _settled(player, items)
    if player.chance(0.5):
        await player.send(player.event(Kind.CANCEL, game_no, items))
        await player.send(player.event(Kind.RESULT, game_no, settled))
        await player.send(player.event(Kind.CHANGE, game_no, _changed(player, settled)))
    else:
        await player.send(player.event(Kind.RESULT, game_no, settled))
        other = tuple(msgspec.structs.replace(item, winloss_before=0) for item in _changed(player, settled))
        await player.send(player.event(Kind.RESULT, game_no, other))
        await player.send(player.event(Kind.CANCEL, game_no, items))


async def _reordered(player: SimulatedPlayer) -> None:
    """Two changes in the order 2, 1, 2; sometimes both once more, as new events."""
    game_no, items = player.next_game(), _batch(player)
    await player.send(player.event(Kind.BET, game_no, items))
    settled = _settled(player, items)
    await player.send(player.event(Kind.RESULT, game_no, settled))
    first = _changed(player, settled)
    second = _changed(player, first)
    now_ms = player.now_ms()
    events = [
        player.event(Kind.CHANGE, game_no, first, now_ms),
        player.event(Kind.CHANGE, game_no, second, now_ms + 1000),
    ]
    for event in (events[1], events[0], events[1]):
        await player.send(event)
    if player.chance(0.5):
        for event in events:
            await player.send(msgspec.structs.replace(event, transaction_id=player.transaction_id(Kind.CHANGE)))


async def _indebted(player: SimulatedPlayer) -> None:
    """A big win is spent and then taken back, which makes a debt; sometimes it is given again, which pays the debt."""
    unit = _unit(player)
    won, lost = player.next_game(), player.next_game()
    bet = Item("1", "tie", player.rng.choice(CHIPS) * unit)
    await player.send(player.event(Kind.BET, won, (bet,)))
    win = msgspec.structs.replace(bet, winloss=bet.amount * 8 + player.rng.randrange(unit))
    await player.send(player.event(Kind.RESULT, won, (win,)))
    everything = Item("1", "player", player.oracle.balance)
    if everything.amount and await player.send(player.event(Kind.BET, lost, (everything,))) is Code.R0:
        loss = msgspec.structs.replace(everything, winloss=-everything.amount)
        await player.send(player.event(Kind.RESULT, lost, (loss,)))
    down = msgspec.structs.replace(bet, winloss=-bet.amount, winloss_before=win.winloss)
    code = await player.send(player.event(Kind.CHANGE, won, (down,)))
    await _get_money(player)
    if code is Code.R0 and player.chance(0.5):
        up = msgspec.structs.replace(bet, winloss=win.winloss, winloss_before=down.winloss)
        await player.send(player.event(Kind.CHANGE, won, (up,)))
