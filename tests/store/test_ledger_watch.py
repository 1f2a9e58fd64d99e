"""The admin process verifies what is new."""

from __future__ import annotations

import asyncio

import structlog

from seamless_wallet.observability.metrics import (
    LEDGER_FINDINGS,
    LEDGER_VERIFIED,
    LEDGER_VERIFY_INTERVAL,
    UNEXPECTED_ERRORS,
)
from seamless_wallet.processes import ledger_watch
from seamless_wallet.processes.ledger_watch import LedgerWatch
from seamless_wallet.processes.system_ports import SystemClock
from seamless_wallet.stores.sqlite.checkpoint_file import CheckpointFile
from tests.store.test_verify import story  # noqa: F401 - the fixture

BACKENDS = ("sqlite",)


def value(metric):
    """Of a metric without labels."""
    return metric.values()[0][1]


async def test_it_verifies_what_is_new_and_keeps_how_far_it_got(store, story, monkeypatch):  # noqa: F811
    """Part by part, to the end; the next process goes on from there"""
    monkeypatch.setattr(ledger_watch, "PART_ENTRIES", 7)
    before = value(LEDGER_FINDINGS)
    await LedgerWatch(store, store.path, SystemClock()).verify_new()
    assert value(LEDGER_VERIFIED) > 0
    assert value(LEDGER_FINDINGS) == before
    assert CheckpointFile(store.path, store.uuid).read().last_id > 7


async def test_a_finding_is_told_once_and_not_put_behind_the_checkpoint(store, story, backend):  # noqa: F811
    """By an error line and a metric"""
    backend.tamper("UPDATE wallet SET balance = balance + 1 WHERE status = 'blocked'")
    before = value(LEDGER_FINDINGS)
    watch = LedgerWatch(store, store.path, SystemClock())
    with structlog.testing.capture_logs() as lines:
        await watch.verify_new()
        await watch.verify_new()
    assert [(line["event"], line["log_level"]) for line in lines] == [("ledger_finding", "error")]
    assert value(LEDGER_FINDINGS) == before + 1
    assert CheckpointFile(store.path, store.uuid).read().last_id == 0


async def test_a_checkpoint_that_does_not_fit_makes_it_begin_anew(store, story):  # noqa: F811
    """As after a restore"""
    file = CheckpointFile(store.path, store.uuid)
    file.path.write_text("{}")
    file.path.chmod(0o600)
    with structlog.testing.capture_logs() as lines:
        async with LedgerWatch(store, store.path, SystemClock()).running(0.01):
            for _ in range(500):
                await asyncio.sleep(0.01)
                if file.path.stat().st_size > 10:
                    break
    assert [line["event"] for line in lines] == ["ledger_verified_anew"]
    assert file.read().last_id > 0
    assert value(LEDGER_VERIFY_INTERVAL) == 0.01


async def test_a_bug_is_counted_and_the_watch_goes_on(store, story, monkeypatch):  # noqa: F811
    """The next turn verifies"""
    bugs, verify_since = [RuntimeError("a bug")], store.verify_since

    async def verify_some(*words):
        if bugs:
            raise bugs.pop()
        return await verify_since(*words)

    monkeypatch.setattr(store, "verify_since", verify_some)
    faults, file = UNEXPECTED_ERRORS.labels("verify"), CheckpointFile(store.path, store.uuid)
    before = faults.value
    with structlog.testing.capture_logs() as lines:
        async with LedgerWatch(store, store.path, SystemClock()).running(0.01), asyncio.timeout(20):
            while not file.path.exists() or file.read().last_id == 0:  # noqa: ASYNC110 - of another task
                await asyncio.sleep(0.01)
    assert [line["event"] for line in lines] == ["ledger_watch_error"]
    assert faults.value == before + 1
