"""The self-test runs every script as the service does, and finds a server whose Lua is not exact."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from seamless_wallet.engine import scripts
from seamless_wallet.wallet.self_test import SelfTestFailed, self_test
from tests.lua.state import dump


class Sending:
    """A pipeline to the server that the test has, which runs a command at once."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.scripts: set[str] = set()

    async def send(self, *command: Any) -> Any:
        if command[:1] == ("INFO",):
            return b"maxmemory_policy:noeviction"
        if command[0] == "EVALSHA":
            self.scripts.add(command[1])
        return self.client.execute_command(*command)


class Fixed:
    """A randomness that is none."""

    def token(self, size: int) -> str:
        return "00" * size

    def random_bytes(self, size: int) -> bytes:
        return bytes(size)

    def below(self, bound: int) -> int:
        return bound - 1


def loaded(client: Any) -> Any:
    """A pipeline to a server that has the scripts."""
    for script in scripts.load_scripts().values():
        client.script_load(script.text)
    return Sending(client)


async def test_it_runs_every_script_and_leaves_nothing(client):
    """On any server that the scripts are tried on."""
    pipeline = loaded(client)
    await self_test(pipeline, Fixed())
    assert pipeline.scripts == {script.sha for script in scripts.load_scripts().values()}
    assert dump(client) == {}


@pytest.mark.parametrize("printed", ["number % 4294967296", "math.min(number, 2147483647)"])
async def test_it_refuses_a_lua_that_is_not_exact(client, tmp_path, monkeypatch, printed):
    """As on a machine where a C long has 32 bits."""
    lua = tmp_path / "lua"
    shutil.copytree(scripts.lua_directory(), lua)
    numbers = lua / "include" / "numbers.lua"
    text = numbers.read_text()
    assert text.count("string.format('%d', number)") == 1
    numbers.write_text(text.replace("string.format('%d', number)", f"string.format('%d', {printed})"))
    monkeypatch.setattr(scripts, "lua_directory", lambda: lua)
    scripts.load_scripts.cache_clear()
    try:
        with pytest.raises(SelfTestFailed, match="not DONE R0 deposit KRW 9007199254740991"):
            await self_test(loaded(client), Fixed())
    finally:
        monkeypatch.undo()
        scripts.load_scripts.cache_clear()
