"""Settings are read beside a running event loop: whatever becomes of it, nothing hangs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from seamless_wallet.errors import SettingsError
from seamless_wallet.settings import Settings
from seamless_wallet.settings.loading import load_in_time

SERVICE = Path(__file__).parents[2] / "service"


async def test_settings_are_handed_over():
    """As they were read"""
    settings = Settings()
    assert await load_in_time(lambda: settings) is settings


async def test_what_is_wrong_is_raised():
    """Where they are awaited"""

    def refuse() -> Settings:
        raise SettingsError("WALLET_X: wrong")

    with pytest.raises(SettingsError, match="WALLET_X"):
        await load_in_time(refuse)


async def test_a_read_that_hangs_is_refused():
    """In time, in one line; the loop goes on meanwhile"""
    hanging = threading.Event()

    def hang() -> Settings:
        hanging.wait(30)
        return Settings()

    reading = asyncio.create_task(load_in_time(hang, 0.05))
    with pytest.raises(SettingsError, match="could not be read within"):
        await reading
    hanging.set()


def test_a_read_that_hangs_keeps_no_process_from_ending(tmp_path):
    """A secret that is a pipe which nobody writes"""
    pipe = tmp_path / "secret"
    os.mkfifo(pipe)
    program = f"""
        import asyncio
        from seamless_wallet.settings.loading import load_in_time
        try:
            asyncio.run(load_in_time(lambda: open({str(pipe)!r}).read(), 0.05))
        except Exception as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(SERVICE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "could not be read" in done.stdout
