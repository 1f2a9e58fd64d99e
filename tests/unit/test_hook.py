"""A hook ends with whoever has started it, and takes what it has started with it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from seamless_wallet.clients import back_office_ports
from seamless_wallet.clients.back_office_ports import BackOfficeFault, HookPort
from tests.integration.waiting import until

FOR_LONG = "sh -c 'sleep 60 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait'"


async def pids_of(told: Path) -> list[int]:
    """Of the hook and of what it has started."""
    await until(told.exists, "a hook that runs")
    return [int(pid) for pid in told.read_text().split()]  # noqa: ASYNC240 - a few bytes


def runs(pid: int) -> bool:
    """Whether the process is there, and not only its exit status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


async def test_a_hook_that_nobody_waits_for_is_ended(tmp_path):
    """As when another player cannot be made: nothing of it is left, when the command ends"""
    calling = asyncio.create_task(HookPort(FOR_LONG.format(pids=tmp_path / "pids")).do("create", "ann", "KRW"))
    pids = await pids_of(tmp_path / "pids")
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert len(pids) == 2
    await until(lambda: not any(map(runs, pids)), "the end of both")
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)  # and its exit status was taken


async def test_a_hook_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    """With what it has started, which holds its output open"""
    monkeypatch.setattr(back_office_ports, "HOOK_LIMIT_S", 0.5)
    with pytest.raises(BackOfficeFault, match=r"longer than 0\.5 s to create"):
        await HookPort(FOR_LONG.format(pids=tmp_path / "pids")).do("create", "ann", "KRW")
    if (tmp_path / "pids").exists():  # a busy machine may not have come so far
        pids = await pids_of(tmp_path / "pids")
        await until(lambda: not any(map(runs, pids)), "the end of both")
