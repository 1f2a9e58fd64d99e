"""What players do, as requests that are sealed beforehand, and what each must be answered.

A sequence is what belongs together and is sent in order: a bet and its result, say. Transaction ids and rounds are new
in every run, so nothing is a duplicate but what is meant to be one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, count
from typing import Final, NamedTuple

from benchmarks.generator import post
from benchmarks.service import CURRENCY, SCALE, provider
from seamless_wallet.commands import Code, Command, Item, Kind

STAKE: Final = 100
"""Minor units of a bet of the one-bet load."""

DEPOSIT: Final = 100_000_000_00
"""Minor units that each player has at first: enough for every bet and every change."""

_PLACE: Final = {"feedback_data": "", "game_type": "BAC", "table_no": "T7"}
_OUTCOME: Final = {"result": "P", "result_detail": '{"P":[1,2],"B":[3,4]}'}
CONTEXTS: Final[dict[Kind, dict[str, str]]] = {
    Kind.BET: _PLACE,
    Kind.CANCEL: _PLACE,
    Kind.RESULT: _PLACE | _OUTCOME,
    Kind.CHANGE: _PLACE | _OUTCOME | {f"{name}_before": value for name, value in _OUTCOME.items()},
}
"""What the provider tells beside it."""

LOGINS: Final = 0.04
"""Of all rounds, before the bet."""

CANCELS: Final = 0.0435
"""Of all rounds, instead of the result: 2 % of events, as a round has 2.17 of them."""

CHANGES: Final = 0.0114
"""Of all results: 0.5 % of events."""

DUPLICATES: Final = 0.0102
"""Of all other events, sent once more: 1 % of events."""

ITEMS_MAX: Final = 5


class Event(NamedTuple):
    """One request, and what must come of it."""

    request: bytes
    kind: Kind
    user_id: str
    timestamp: int
    event_type: str
    code: Code
    balance_delta: int  # minor units; 0 of a duplicate
    items: int
    is_duplicate: bool = False

    @property
    def is_entry(self) -> bool:
        """Whether the ledger has an entry of its own for it."""
        return self.code is Code.R0 and not self.is_duplicate


Sequences = list[tuple[Event, ...]]

_numbers: Final = count(1)
_run: Final = time.time_ns() // 1_000_000
"""Part of every id."""


def users(prefix: str, number: int) -> list[str]:
    """The user_ids of so many players, of this run alone."""
    return [f"{prefix}-{_run}-{each}" for each in range(number)]


def one_bets(players: Sequence[str], number: int, path: str, code: Code = Code.R0) -> Sequences:
    """Bets of one item, each of a round of its own, the players in turn."""
    table = Table(path)
    return [
        (table.event(Kind.BET, players[each % len(players)], f"g{next(_numbers)}", (Item("1", "P", STAKE),), code),)
        for each in range(number)
    ]


def logins(players: Sequence[str], path: str) -> Sequences:
    """Everybody once."""
    table = Table(path)
    return [(table.event(Kind.LOGIN, player),) for player in players]


def mixed(choose: Callable[[], str], events: int, path: str, seed: int) -> Sequences:
    """Rounds as they are played, until there are so many events. `choose` gives the player of each."""
    chance, table, sequences, made = random.Random(seed), Table(path), [], 0
    while made < events:
        sequence = tuple(_repeated(_round(chance, table, choose()), chance))
        sequences.append(sequence)
        made += len(sequence)
    return sequences


def uniform(players: Sequence[str], seed: int) -> Callable[[], str]:
    """Every player is as likely as any other."""
    chance = random.Random(seed)
    return lambda: chance.choice(players)


def zipf(players: Sequence[str], seed: int) -> Callable[[], str]:
    """The n-th player plays 1/n as often as the first."""
    chance = random.Random(seed)
    weights = list(accumulate(1 / rank for rank in range(1, len(players) + 1)))
    return lambda: chance.choices(players, cum_weights=weights)[0]


def _round(chance: random.Random, table: Table, player: str) -> Iterator[Event]:
    if chance.random() < LOGINS:
        yield table.event(Kind.LOGIN, player)
    game = f"g{next(_numbers)}"
    stakes = [
        Item(f"{index}", chance.choice("PBT"), 100 * chance.randint(1, 50))
        for index in range(1, chance.randint(1, ITEMS_MAX) + 1)
    ]
    yield table.event(Kind.BET, player, game, tuple(stakes))
    if chance.random() < CANCELS:
        yield table.event(Kind.CANCEL, player, game, tuple(stakes))
        return
    results = [
        Item(stake.bet_index, stake.bet_type, stake.amount, chance.choice((-stake.amount, stake.amount)))
        for stake in stakes
    ]
    yield table.event(Kind.RESULT, player, game, tuple(results))
    if chance.random() < CHANGES:
        changed = [Item(each.bet_index, each.bet_type, each.amount, -each.winloss, each.winloss) for each in results]
        yield table.event(Kind.CHANGE, player, game, tuple(changed))


def _repeated(events: Iterator[Event], chance: random.Random) -> Iterator[Event]:
    for event in events:
        yield event
        if event.kind is not Kind.LOGIN and chance.random() < DUPLICATES:
            yield event._replace(is_duplicate=True, balance_delta=0)


_DELTAS: Final[dict[Kind, Callable[[Item], int]]] = {
    Kind.BET: lambda item: -item.amount,
    Kind.CANCEL: lambda item: item.amount,
    Kind.RESULT: lambda item: item.amount + item.winloss,
    Kind.CHANGE: lambda item: item.winloss - item.winloss_before,
}


class Table:
    """Makes the events of one provider for one path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._provider = provider()
        (self._key,) = self._provider.keys
        self._headers = self._provider.headers(self._key)
        self._names = {kind: names[0] for kind, names in self._provider.profile.event_names.items()}

    def event(
        self, kind: Kind, player: str, game_no: str = "", items: tuple[Item, ...] = (), code: Code = Code.R0
    ) -> Event:
        """One event with an id of its own, now. `code` is what it must be answered."""
        timestamp = time.time_ns() // 1_000_000_000
        command = Command(
            kind=kind,
            provider=self._provider.name,
            user_id=player,
            transaction_id=f"2_bench_{_run}_{next(_numbers)}",
            timestamp_ms=timestamp * 1000,
            received_ms=0,
            currency=CURRENCY if items else "",
            game_no=game_no,
            items=items,
            context=CONTEXTS.get(kind, {}),
        )
        body = self._provider.seal(self._provider.profile.encode_event(command, SCALE), self._key)
        delta = sum(map(_DELTAS[kind], items)) if items and code is Code.R0 else 0
        request = post(self._path, body, self._headers)
        return Event(request, kind, player, timestamp, self._names[kind], code, delta, len(items))
