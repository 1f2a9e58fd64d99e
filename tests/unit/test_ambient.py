"""Neither the core nor its two doors reach for the machine's clock, randomness or connections: ports give them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "service" / "seamless_wallet"
DOORS = ("backoffice", "webhook")
CORE = ("commands.py", "engine", "ledger", "money.py", "ports.py", "recovery.py", "stores", "wallet", "writer", *DOORS)
AMBIENT = {"time", "datetime", "random", "secrets", "uuid", "socket", "subprocess"}
CALLS = {"os.urandom", "os.getrandom", "asyncio.to_thread", "asyncio.open_connection", "asyncio.open_unix_connection"}

ALLOWED = {
    ("backoffice/responses.py", "datetime"),  # writes moments that are given to it
    ("stores/sqlite/setup.py", "uuid"),  # a new ledger's name, unless the caller gives one
    ("engine/connection.py", "redis.asyncio"),  # the implementation of the port
    ("engine/connection.py", "redis.asyncio.connection"),
    ("engine/connection.py", "redis.asyncio.retry"),
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the core, by its path in the package."""
    for name in CORE:
        root = PACKAGE / name
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def is_ambient(name: str) -> bool:
    """Whether a module is a way around the ports."""
    return name.partition(".")[0] in AMBIENT or name.startswith("redis.asyncio")


def test_no_module_of_the_core_imports_what_a_port_is_for():
    """A simulation that replaces the ports has replaced everything."""
    found = {(path, name) for path, tree in modules() for name in imported(tree) if is_ambient(name)}
    assert found == ALLOWED


def test_no_module_of_the_core_calls_what_a_port_is_for():
    """The same of functions whose module has other uses."""
    found = {
        (path, ast.unparse(node))
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CALLS
    }
    assert found == {("backoffice/health.py", "asyncio.to_thread")}  # renders metrics beside the event loop


@pytest.mark.parametrize("source", ["import time", "from secrets import token_hex", "def f():\n    import random"])
def test_the_scan_sees_every_form_of_an_import(source):
    """Also one within a function."""
    assert [name for name in imported(ast.parse(source)) if is_ambient(name)]
