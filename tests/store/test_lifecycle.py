"""How a ledger begins, opens, closes, and what holds while several processes use it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from seamless_wallet.ledger.bets import BetState
from seamless_wallet.ledger.ports import StoreError
from tests.store.books import CURRENCIES, START_MS, Book


async def test_init_again_changes_nothing(backend, store, book):
    """Also while the ledger is in use"""
    await store.commit([book.take()])
    assert backend.init() == backend.init() == store.uuid
    assert (await store.heads())[0].seq == 2
    assert store.shards == 2
    assert dict(store.scales) == CURRENCIES


async def test_another_number_of_shards_is_refused(backend):
    """By init and by open, with what to do"""
    for act in (lambda: backend.init(shards=16), lambda: backend.open(16)):
        with pytest.raises(StoreError, match=r"has 2 shards and the settings say 16: .*set it back"):
            act()


async def test_a_used_currency_keeps_its_scale_and_stays(backend, store, book):
    """Without players it may change and go"""
    await store.commit([book.take()])
    with pytest.raises(StoreError, match="KRW with 2 decimal digits and the settings say 0: set it back"):
        backend.init(currencies={**CURRENCIES, "KRW": 0})
    with pytest.raises(StoreError, match="players in KRW; add KRW to \\[currencies\\]"):
        backend.init(currencies={"USD": 2})
    assert dict(backend.open().scales) == CURRENCIES
    backend.init(currencies={"KRW": 2, "USD": 3, "EUR": 2})
    reopened = backend.open(2, {"KRW": 2, "USD": 3, "EUR": 2})
    assert dict(reopened.scales) == {"KRW": 2, "USD": 3, "EUR": 2}
    await reopened.close()


async def test_open_compares_the_currencies(backend, store, book):
    """Settings that would need another init are refused with that advice"""
    with pytest.raises(StoreError, match=r"EUR is new to the ledger .*run `wallet init`"):
        backend.open(2, {**CURRENCIES, "EUR": 2})
    with pytest.raises(StoreError, match="run `wallet init`"):
        backend.open(2, {**CURRENCIES, "KRW": 0})
    await store.commit([book.take()])
    with pytest.raises(StoreError, match="players in KRW"):
        backend.open(2, {"USD": 2})


async def test_after_close_no_thread_remains_and_calls_are_refused(backend, book):
    """What was begun is finished first"""
    before = set(threading.enumerate())
    async with backend.open() as store:
        backend.become_writer(store)
        await store.take_over("n", range(2), 0)
        await store.open_epoch(0, 0, 1, "r", "p", "")
        commit = asyncio.create_task(store.commit([book.take()]))
        reads = [asyncio.create_task(store.heads()) for _ in range(20)]
        await asyncio.sleep(0)
        assert [finding async for finding in store.verify()] == []
    assert set(threading.enumerate()) == before
    await commit
    await asyncio.gather(*reads)
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.heads()
    reopened = backend.open()
    assert (await reopened.heads())[0].seq == 2
    await reopened.close()


async def test_a_cancelled_caller_leaves_the_store_usable(store, book):
    """The commit may or may not have happened; sent again it has"""
    task = asyncio.create_task(store.commit([book.entries]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.commit([book.entries])
    assert (await store.heads())[0].seq == 2


async def test_readers_see_whole_commits_only(backend, store):
    """While a writer commits, no snapshot has a wallet newer than its head, or one that its entries do not make"""
    book = Book(0, 2)
    book.create()
    book.deposit(1_000_000)
    await store.commit([book.take()])
    worker = backend.open()
    rounds_seen = 0

    async def read() -> None:
        nonlocal rounds_seen
        while not done.is_set():
            snapshot = await worker.load(0, book.user, START_MS)
            assert snapshot.wallet.seq == snapshot.seq == len(snapshot.events)
            open_stakes = sum(
                bet.stake for bets in snapshot.rounds.values() for bet in bets.values() if bet.state is BetState.OPEN
            )
            assert snapshot.wallet.balance + open_stakes == 1_000_000
            assert sum((await worker.trial_balance())["KRW"].values()) == 0
            rounds_seen += 1

    done = asyncio.Event()
    readers = [asyncio.create_task(read()) for _ in range(3)]
    for nth in range(40):
        book.bet(f"g{nth}", a=5, b=5)
        book.result(f"g{nth}", a=(5, 0))
        await store.commit([book.take()])
    done.set()
    await asyncio.gather(*readers)
    await worker.close()
    assert rounds_seen > 3
