"""What no process counts by itself: money by provider, what Redis and the ledger are like."""

from __future__ import annotations

from seamless_wallet.commands import Item, Kind
from seamless_wallet.engine import keys
from seamless_wallet.observability import metrics
from seamless_wallet.observability.instruments import Metric
from seamless_wallet.processes.clock_difference import tell_clock_difference
from seamless_wallet.processes.ledger_gauges import LedgerGauges, PlayGauges, TrialBalanceGauges
from seamless_wallet.processes.redis_gauges import Growth, RedisGauges
from tests.chosen_ledger import ON_POSTGRES
from tests.integration.world import PROVIDER, world


def value(metric: Metric, *labels: str) -> float:
    """Of one series."""
    return metric.labels(*labels).value


def moved() -> dict[tuple[str, str], float]:
    """Kind and direction → minor units so far, of the provider of these tests."""
    series = metrics.MONEY.series.items()
    return {(kind, way): each.value for (name, _, kind, way), each in series if name == PROVIDER}


async def test_money_is_counted_by_kind_and_direction_once_it_is_committed():
    """Stakes come in, payouts and refunds go out, a change does either; what moves nothing counts nothing."""
    before = moved()
    async with world() as w:
        user = await w.player("p", 1000)
        for command in (
            w.bet(user, "g", 100, 50),
            w.bets(Kind.CANCEL, user, "g", Item("2", "P", 50)),
            w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 70)),
            w.bets(Kind.CHANGE, user, "g", Item("1", "P", 100, 30, 70)),
            w.bets(Kind.CHANGE, user, "g", Item("1", "P", 100, 90, 30)),
            w.bet(user, "lost", 10),
            w.bets(Kind.RESULT, user, "lost", Item("1", "P", 10, -10)),
        ):
            assert (await w.settle(command)).code == "R0"
        await w.quiet()
        gained = {key: amount - before.get(key, 0) for key, amount in moved().items()}
        assert gained == {
            ("bet", "in"): 160,
            ("cancel", "out"): 50,
            ("result", "out"): 170,
            ("change", "in"): 40,
            ("change", "out"): 60,
        }
        assert (
            sum(-amount if way == "out" else amount for (_, way), amount in gained.items())
            == ((await w.trial())[f"house:{PROVIDER}"])
        )


async def test_phases_of_a_call_are_measured():
    """From the wallet's side: until a script is sent, until Redis has answered, until SQL has the entry."""
    phases = {name: metrics.WEBHOOK_PHASE_DURATION_SECONDS.labels(name) for name in ("queue", "redis", "commit")}
    async with world() as w:
        user = await w.player("p", 100)
        before = {name: sum(series.value[:-1]) for name, series in phases.items()}
        await w.settle(w.bet(user, "g", 1))
        assert {name: sum(series.value[:-1]) - before[name] for name, series in phases.items()} == dict.fromkeys(
            phases, 1
        )


async def test_redis_tells_about_itself():
    """Memory, keys, clients, scripts, streams, and a clock that is this machine's."""
    calls, seconds, cpu = metrics.REDIS_SCRIPT_CALLS, metrics.REDIS_SCRIPT_SECONDS, metrics.REDIS_CPU_SECONDS
    async with world() as w:
        gauges = RedisGauges(w.workers[0].pipeline, w.ledger, w.clock)
        await gauges.measure()
        before = [value(metric) for metric in (calls, seconds, cpu)]
        await w.player("p", 100)
        await w.quiet()
        await gauges.measure()
        assert value(calls) > before[0]
        assert value(seconds) > before[1]
        assert value(cpu) > before[2]
        assert value(metrics.REDIS_MEMORY_BYTES, "used") > 100_000
        assert value(metrics.REDIS_KEYS) >= 3
        assert value(metrics.REDIS_CLIENTS) >= 2
        lengths = [await w.redis.xlen(keys.stream(shard, 1)) for shard in range(w.settings.shards)]
        assert value(metrics.REDIS_STREAM_ENTRIES) == sum(lengths) > 0
        assert value(metrics.CLOCK_DIFFERENCE_SECONDS, "redis") < 1


async def test_the_ledger_tells_about_itself(tmp_path):
    """File, log, disk, who owes, and accounts that add up to zero."""
    async with world() as w:
        user = await w.player("p", 100)
        await w.settle(w.bet(user, "g", 100))
        await w.settle(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 50)))
        await w.settle(w.command(Kind.WITHDRAW, user, amount=150))
        await w.settle(w.bets(Kind.CHANGE, user, "g", Item("1", "P", 100, -100, 50)))
        await w.quiet()
        await LedgerGauges(tmp_path, w.ledger, w.clock).measure()
        for of in ("database",) if ON_POSTGRES else ("file", "log"):
            assert value(metrics.LEDGER_BYTES, of) > 1000
        assert 0 < value(metrics.DISK_BYTES, "free") <= value(metrics.DISK_BYTES, "size")
        assert value(metrics.PLAYERS_OWING) == 1
        assert (("ledger",) in metrics.CLOCK_DIFFERENCE_SECONDS.series) == ON_POSTGRES
        assert not ON_POSTGRES or value(metrics.CLOCK_DIFFERENCE_SECONDS, "ledger") < 1
        await TrialBalanceGauges(w.ledger, w.clock).measure()
        sums = await w.trial()
        assert {account: value(metrics.LEDGER_ACCOUNTS, "KRW", account) for account in sums} == sums
        assert value(metrics.LEDGER_IMBALANCE, "KRW") == 0
        assert value(metrics.LEDGER_BALANCED_TIMESTAMP) > 0


async def test_what_plays_is_counted():
    """Open bets and the oldest of them; sessions that were neither closed nor left unused, none of another provider."""
    async with world() as w:
        first, second = await w.player("p", 100), await w.player("q", 100)
        for user in (first, second):
            await w.settle(w.command(Kind.LOGIN, user))
        await w.settle(w.bet(first, "g", 1, 2))
        placed_ms = w.clock.now_ms()
        await w.settle(w.bet(second, "h", 1))
        await w.settle(w.bets(Kind.RESULT, second, "h", Item("1", "P", 1, 0)))
        await w.settle(w.command(Kind.LOGOUT, second))
        await w.quiet()
        gauges = PlayGauges(w.ledger, w.clock, 60_000, [PROVIDER, "other"])
        await gauges.measure_bets()
        await gauges.measure_sessions()
        assert value(metrics.OPEN_BETS) == 2
        assert 0 <= placed_ms / 1000 - value(metrics.OLDEST_OPEN_BET_TIMESTAMP) < 60
        assert value(metrics.OPEN_SESSIONS, PROVIDER) == 1
        assert value(metrics.OPEN_SESSIONS, "other") == 0
        await PlayGauges(w.ledger, w.clock, -60_000, [PROVIDER]).measure_sessions()
        assert value(metrics.OPEN_SESSIONS, PROVIDER) == 0


def test_a_clock_is_off_by_what_the_way_does_not_explain():
    """Somewhere between question and answer is no difference."""
    for there_ms, expected_s in ((1_000.0, 0), (1_050.5, 0), (900.0, 0.1), (1_301.0, 0.2)):
        tell_clock_difference("x", 1_000, there_ms, 1_100)
        assert value(metrics.CLOCK_DIFFERENCE_SECONDS, "x") == expected_s
    tell_clock_difference("y", 1_000, None, 1_100)
    assert ("y",) not in metrics.CLOCK_DIFFERENCE_SECONDS.series


def test_a_total_of_another_program_is_followed_through_its_restarts():
    """What was before we looked is not ours; what comes after a restart is."""
    series = metrics.REDIS_EVICTED_KEYS.labels()
    growth, before = Growth(series), series.value
    for total in (100, 104, 104, 3):
        growth.follow(total)
    assert series.value - before == 7
