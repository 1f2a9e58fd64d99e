"""One name, one meaning: what a stranger greps for is found once."""

from __future__ import annotations

import ast
import importlib
import operator
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from seamless_wallet.errors import WalletError

PACKAGE = Path(__file__).resolve().parents[2] / "service" / "seamless_wallet"
MODULES = sorted(PACKAGE.rglob("*.py"))

SAME_MEANING = {
    "errors": "what a room raises",
    "ports": "what a room needs of the world around it",
}
"""Names that several modules may have, and what they mean everywhere."""

ROOM_OF_ITS_OWN = ("cli", "conformance/cases")
"""A command is called after the room that it opens, and a module of cases after its subject."""

SAME_MEANING_WITHIN = {
    "ANSWER_LIMIT_S": "how long an answer is waited for",
    "BACKLOG": "connections that the kernel holds until they are accepted",
    "CALL_LIMIT_S": "how long one call may take",
    "CONNECTIONS_MAX": "how many connections may be open at a time",
    "CONTENT_TYPE": "of the bodies that a module writes",
    "INTRODUCTION": "the top of a page that is generated",
    "LOG_EVERY_S": "how often one thing is logged at most",
    "Networks": "networks that are trusted or let in",
    "OK": "the state of a component without a fault",
    "PAUSE_FIRST_S": "before the second attempt",
    "PAUSE_MAX_S": "between two attempts at most",
    "POLL_S": "between two looks at something that tells nothing by itself",
    "READY_LIMIT_S": "how long what takes over may take to get ready",
    "SCAN_COUNT": "keys that Redis looks at in one step of a SCAN",
    "T": "a variable of types",
    "log": "the log of a module",
    "reference": "the text of a page that is generated",
}
"""Functions and constants that several modules may have, and what they mean everywhere."""

READ_WITH_THEIR_MODULE = ("engine/keys.py",)
"""`keys.wallet(…)` is the key of a wallet: nobody imports the name alone."""


def room_of(path: Path) -> str:
    """The folder of a module, from the package on."""
    return path.parent.relative_to(PACKAGE).as_posix()


BACKENDS = (("stores/postgres", "stores/sqlite"), ("stores/postgres_calls", "stores/sqlite_calls"))
"""Each of a pair has its own form of what both have, under one name."""


def is_shared(paths: list[Path]) -> bool:
    """Whether a name stands twice: in one backend, or in two places that are no backends."""
    rooms = [room_of(path) for path in paths]
    once = sum(max(map(rooms.count, pair)) for pair in BACKENDS)
    return once + sum(all(room not in pair for pair in BACKENDS) for room in rooms) > 1


def test_no_two_modules_share_a_name():
    """But for those that mean the same everywhere."""
    found = defaultdict(list)
    for path in MODULES:
        if path.stem not in {"__init__", *SAME_MEANING} and room_of(path) not in ROOM_OF_ITS_OWN:
            found[path.stem].append(path)
    assert not {name: paths for name, paths in found.items() if is_shared(paths)}


def test_no_two_classes_share_a_name():
    """In the whole package, private ones aside."""
    found = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    assert not {name: paths for name, paths in found.items() if is_shared(paths)}


def defined(tree: ast.Module) -> Iterator[str]:
    """The public functions and constants of a module."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.Assign(targets=targets):
                names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            case _:
                names = []
        yield from (name for name in dict.fromkeys(names) if not name.startswith("_"))


def test_no_two_functions_or_constants_share_a_name():
    """Of those that a module offers. Commands are called after what they do, and their options after settings."""
    found = defaultdict(list)
    for path in MODULES:
        own_names = room_of(path) in ROOM_OF_ITS_OWN or path.relative_to(PACKAGE).as_posix() in (READ_WITH_THEIR_MODULE)
        for name in () if own_names else defined(ast.parse(path.read_text())):
            found[name].append(path)
    shared = {name: paths for name, paths in found.items() if is_shared(paths)}
    assert not {name: paths for name, paths in shared.items() if name not in SAME_MEANING_WITHIN}
    assert set(SAME_MEANING_WITHIN) <= set(shared)


@pytest.mark.parametrize("source", ["def f(): ...", "async def f(): ...", "f = 1", "f: Final = 1", "e, f = 1, 2"])
def test_every_form_of_a_definition_is_seen(source):
    """Functions and constants alike."""
    assert "f" in defined(ast.parse(source))


def test_every_room_says_what_it_is_for():
    """In one paragraph at the top of its `__init__`, of a sentence at least."""
    for path in MODULES:
        if path.name == "__init__.py":
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            assert len(text.split()) >= 8, path
            assert text.endswith((".", "`", ")")), path


def errors_without_base(namespace: Mapping[str, object], module: str) -> list[str]:
    """The public exceptions that a module defines, but not as a WalletError. Also those within a class."""
    found = []
    for name, value in namespace.items():
        if isinstance(value, type) and value.__module__ == module and not name.startswith("_"):
            if issubclass(value, BaseException) and not issubclass(value, WalletError):
                found.append(value.__qualname__)
            found += errors_without_base(vars(value), module)
    return found


def test_every_error_has_the_base():
    """Whatever the package raises on purpose can be told from a bug."""
    for path in MODULES:
        parts = ("seamless_wallet", *path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] != "__main__":
            module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
            assert not errors_without_base(vars(module), module.__name__), module.__name__


@pytest.mark.parametrize(
    "source",
    [
        "class Bad(Exception): ...",
        "import asyncio\nclass Bad(asyncio.TimeoutError): ...",
        "from redis.exceptions import RedisError as Lost\nclass Bad(Lost): ...",
        "class Outer:\n    class Bad(KeyError): ...",
    ],
)
def test_an_error_without_the_base_is_found(source):
    """Whatever its base is called."""
    module = ModuleType("some_module")
    exec(source, vars(module))  # noqa: S102 - the sources above
    assert errors_without_base(vars(module), "some_module")


LAW: Mapping[float, str] = {
    2**53 - 1: "AMOUNT_MAX",
    500: "ITEMS_MAX",
    64: "CHANGES_MAX",
    5_000: "CHANGE_TOLERANCE_MS",
    300_000: "FUTURE_MAX_MS",
}
"""The numbers of the case table."""

NOT_OF_THE_LAW = {
    ("backoffice/queries.py", "LIMIT_MAX"): "entries of a page",
    ("backoffice/token_attempts.py", "_NETWORK_BITS"): "of an IPv6 address",
    ("observability/health_server.py", "CONNECTIONS_MAX"): "connections",
    ("observability/run_directory.py", "BACKLOG"): "connections",
    ("recovery.py", "SCAN_COUNT"): "keys",
    ("stores/planning.py", "SIGNPOST_EVERY"): "entries",
    ("writer/idle_wallets.py", "SCAN_COUNT"): "keys",
    ("stores/sqlite/database.py", "BUSY_TIMEOUT_MS"): "the wait for a lock",
    ("supervisor/embedded_valkey.py", "LISTPACK_VALUE_BYTES_MAX"): "bytes",
    ("wallet/confirmations.py", "COMMIT_LOOKUP_MAX"): "attempts",
    ("writer/read_stage.py", "PER_STREAM_MIN"): "entries",
}
"""Constants that have one of these values by chance, and what they count."""

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Pow: operator.pow}


def number(node: ast.AST | None) -> float | None:
    """What an expression of literals comes to, None for any other."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            operands = number(left), number(right)
            return None if None in operands else OPERATORS[type(op)](*operands)
    return None


def constants(tree: ast.Module) -> Iterator[tuple[str, float]]:
    """Every constant of a module or class that is a number, however it is written, with its name."""
    for scope in (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef)):
        for node in scope.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and (value := number(node.value)) is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                yield ast.unparse(target), value


def test_the_numbers_of_the_case_table_stand_once():
    """2^53 - 1, 500 items, 64 changes, 5 minutes and 5 seconds: each is one constant, which the rest imports."""
    found = {
        (path.relative_to(PACKAGE).as_posix(), name): LAW[value]
        for path in MODULES
        for name, value in constants(ast.parse(path.read_text()))
        if value in LAW
    }
    assert {place: law for place, law in found.items() if place not in NOT_OF_THE_LAW} == {
        ("money.py" if name == "AMOUNT_MAX" else "commands.py", name): name for name in LAW.values()
    }
    assert set(NOT_OF_THE_LAW) <= set(found)


def test_the_largest_amount_and_the_five_minutes_are_written_nowhere_else():
    """Not even within an expression."""
    for path in MODULES:
        written = [number(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.expr)]
        expected = {"money.py": [2**53 - 1], "commands.py": [300_000]}.get(path.name, [])
        assert [value for value in written if value in {2**53 - 1, 300_000}] == expected, path


@pytest.mark.parametrize(
    "source",
    [
        "BATCH_LIMIT = 500",
        "TOP = 9_007_199_254_740_991",
        "TOP: Final = 2**53 - 1",
        "class Limits:\n    changes: int = 64",
        "SLACK_MS = 5 * 1000",
        "SLACK_MS = 3e5",
    ],
)
def test_a_number_of_the_case_table_is_found_by_its_value(source):
    """Whatever it is called, and however it is written."""
    assert [value for _, value in constants(ast.parse(source)) if value in LAW]
