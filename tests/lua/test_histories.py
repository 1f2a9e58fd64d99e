"""Random histories: the entries alone say what Redis holds, and what was loaded from them goes on as if never gone."""

from __future__ import annotations

from collections import Counter
from random import SystemRandom
from typing import Any

import pytest
from msgspec import structs

from seamless_wallet.commands import Kind
from seamless_wallet.engine.replies import ReplyStatus, Verdict
from seamless_wallet.ledger.bets import BetState
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.lua.driver import HOUR, NOW, SHARD, Player, Shard
from tests.lua.history import History
from tests.lua.ledger import Ledger
from tests.lua.state import Dump, dump

SEEDS = range(6)


@pytest.fixture
def count(backend):
    """Commands of a history: the imitation is slower."""
    return 150 if backend == "fakeredis" else 500


def play(seed: int, ledger: Ledger, count: int) -> Counter:
    """Run a history, comparing after each step. Returns how often each answer was given."""
    seen: Counter = Counter()
    for command, policy in History(seed, ledger.rounds).commands(count):
        event = PreparedEvent(command, policy, SHARD)
        before = ledger.seq
        verdict = ledger.decide(event)
        ledger.read()
        assert ledger.seq - before == (verdict.status is ReplyStatus.DONE)
        wallet = ledger.wallets[command.user_id]
        assert (verdict.balance, verdict.debt) == (wallet.balance, wallet.debt)
        ledger.agrees_about(event)
        seen[f"{command.kind} {verdict.status} {verdict.code} {verdict.reason}"] += 1
    return seen


@pytest.mark.parametrize("seed", [*SEEDS, None])
def test_the_entries_say_what_redis_holds(shard, seed, count):
    """Wallets and rounds to the letter, versions and seqs without holes, legs that sum to zero, nothing negative."""
    seed = SystemRandom().randrange(2**32) if seed is None else seed
    print("seed", seed)
    ledger = Ledger(shard)
    play(seed, ledger, count)
    houses: Counter = Counter()
    for entry in shard.entries():
        for leg in entry.legs():
            houses[leg.account] += leg.amount
    assert sum(houses.values()) == 0
    assert houses["player"] == sum(wallet.balance for wallet in ledger.wallets.values())
    assert houses["debt"] == -sum(wallet.debt for wallet in ledger.wallets.values())


def test_histories_meet_the_rows(client, count):
    """The histories are worth something: between them they meet every answer that they can."""
    seen: Counter = Counter()
    for seed in SEEDS:
        client.flushall()
        shard = Shard(client)
        shard.open()
        seen += play(seed, Ledger(shard), count)
    outcomes = Counter(answer.split(" ", 1)[1] for answer in seen.elements())
    expected = (
        *("DONE R0 bet", "DONE R0 cancel", "DONE R0 result", "DONE R0 change", "DONE R0 repeated", "DONE R0 login"),
        *("DUP R0 duplicate", "DUP R4 duplicate", "DUP R3 duplicate", "CONFLICT R3 conflict", "DECLINED R4 funds"),
        *("DECLINED R1 blocked", "DECLINED R1 no_session", "DECLINED R3 bet_cancelled", "DECLINED R3 currency"),
        *("DECLINED R1 orphan", "DECLINED R3 settled_differently", "DECLINED R1 change_early"),
        *("DECLINED R1 change_outdated", "DECLINED R3 stake_differs", "DECLINED R3 cancel_of_settled"),
    )
    assert [answer for answer in expected if not outcomes[answer]] == []


def state(client, epoch: int) -> Dump:
    """All but heads and streams, without the epoch in the names and without stored declines, which are not loaded."""
    kept = {}
    for name, key in dump(client).items():
        tag, kind, *rest = name.split(":")
        if kind in ("head", "l") or rest[0] != str(epoch):
            continue
        value = {field: text for field, text in key.value.items() if kind != "i" or text[16:18] == "R0"}
        kept[":".join((tag, kind, *rest[1:]))] = key._replace(value=value)
    return kept


@pytest.mark.parametrize("seed", SEEDS)
def test_loaded_is_as_never_gone(shard, seed, count):
    """Fold the stream, install into a new epoch: the same wallets, rounds, events and times to live."""
    ledger = Ledger(shard)
    play(seed, ledger, count)
    before = state(shard.client, 1)
    ledger.reload()
    after = state(shard.client, 2)
    assert before.keys() == after.keys()
    for name, kept in before.items():
        assert kept.like(after[name]), name


@pytest.mark.parametrize("seed", SEEDS)
def test_loaded_goes_on_as_never_gone(client, seed, count):
    """The second half of a history is answered alike, whether or not all was loaded anew before it."""
    lives = []
    for reload_at in (None, count // 2):
        client.flushall()
        shard = Shard(client)
        shard.open()
        lives.append(live(seed, Ledger(shard), count, reload_at))
    assert lives[0] == lives[1]


def live(seed: int, ledger: Ledger, count: int, reload_at: int | None) -> list[Verdict]:
    """Run a history. From half of it on nothing comes back that was declined before: declines are not loaded."""
    verdicts, declined = [], set()
    for number, (command, policy) in enumerate(History(seed, ledger.rounds).commands(count)):
        event = PreparedEvent(command, policy, SHARD)
        if number == reload_at:
            ledger.reload()
        if number >= count // 2 and event.digest in declined:
            continue
        verdict = ledger.decide(event)
        ledger.read()
        if verdict.status is ReplyStatus.DECLINED:
            declined.add(event.digest)
        verdicts.append(structs.replace(verdict, committed=0))
    return verdicts


def test_loading_in_chunks(shard):
    """More bets and events than one script installs: all of them are there, open ones counted once."""
    player = Player(shard).opened()
    indexes = range(1, 401)
    stakes: dict[str, Any] = {f"b{n}": 1 for n in indexes}
    player.bet(**stakes).ok()
    player.cancel(**dict(list(stakes.items())[::2])).ok()
    ledger = Ledger(shard)
    for n in range(260):
        assert ledger.decide(player.event(Kind.DEPOSIT, amount=n)).status is ReplyStatus.DONE
    ledger.read()
    before = state(shard.client, 1)
    shard.open(2, ledger.seq)
    commands = list(ledger.installation("kim"))
    assert len(commands) == 2 + 2 + 1
    for command in commands:
        player.login().answered("MISS")
        assert shard.client.execute_command(*command) == [b"OK"]
    after = state(shard.client, 2)
    assert before.keys() == after.keys()
    assert all(kept.like(after[name]) for name, kept in before.items())
    assert [bet.state for bet in next(iter(ledger.rounds.values())).values()].count(BetState.OPEN) == 200


def test_a_period_in_between(shard):
    """Events of two periods are loaded into the present one, and known for a whole window from there."""
    player = Player(shard).opened()
    first = player.bet(b1=5).ok()
    shard.wait(HOUR)
    shard.confirm(0)
    second = player.bet(b2=5).ok()
    ledger = Ledger(shard)
    ledger.read()
    ledger.reload()
    for hours in (0, 1):
        assert shard.period == 1 + hours
        first.again().duplicate("R0")
        second.again().duplicate("R0")
        shard.wait(HOUR)
        shard.confirm(ledger.seq)
    assert shard.now_ms == NOW + 3 * HOUR
