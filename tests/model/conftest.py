"""A server for the scripts alone, and scripts that are wrong."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from seamless_wallet.engine import scripts
from tests.model.mutants import MUTANTS
from tests.valkey_server import start_valkey


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    """A Valkey of the wheel."""
    with (
        tempfile.TemporaryDirectory(prefix="w") as path,
        start_valkey(Path(path)) as server,
        redis.Redis.from_url(server.url) as connected,
    ):
        yield connected


@pytest.fixture
def mutant(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripts of this process are those of the mutant of this name."""
    lua = tmp_path / "lua"
    shutil.copytree(scripts.lua_directory(), lua)
    MUTANTS[request.param].write_into(lua)
    monkeypatch.setattr(scripts, "lua_directory", lambda: lua)
    scripts.load_scripts.cache_clear()
    yield
    scripts.load_scripts.cache_clear()
