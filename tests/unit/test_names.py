"""One name, one meaning: what a stranger greps for is found once."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "service" / "seamless_wallet"
MODULES = sorted(PACKAGE.rglob("*.py"))

SAME_MEANING = {
    "errors": "what a room raises",
    "ports": "what a room needs of the world around it",
}
"""Names that several modules may have, and what they mean everywhere."""

ROOM_OF_ITS_OWN = ("cli", "conformance/cases")
"""A command is called after the room that it opens, and a module of cases after its subject."""


def room_of(path: Path) -> str:
    """The folder of a module, from the package on."""
    return path.parent.relative_to(PACKAGE).as_posix()


def test_no_two_modules_share_a_name():
    """But for those that mean the same everywhere."""
    found = defaultdict(list)
    for path in MODULES:
        if path.stem not in {"__init__", *SAME_MEANING} and not room_of(path).startswith(ROOM_OF_ITS_OWN):
            found[path.stem].append(path)
    assert not {name: paths for name, paths in found.items() if len(paths) > 1}


def test_no_two_classes_share_a_name():
    """In the whole package, private ones aside."""
    found = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path.name)
    assert not {name: paths for name, paths in found.items() if len(paths) > 1}


def test_every_room_says_what_it_is_for():
    """In one paragraph at the top of its `__init__`, of a sentence at least."""
    for path in MODULES:
        if path.name == "__init__.py":
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            assert len(text.split()) >= 8, path
            assert text.endswith((".", "`", ")")), path


def test_every_error_has_the_base():
    """Whatever the package raises on purpose can be told from a bug."""
    base = {"WalletError"}
    classes = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    errors = {name for name, bases in classes.items() if re.search("Error$|Exception$", " ".join(bases))}
    assert errors
    for name in errors - {"WalletError"}:
        ancestors, todo = set(), [name]
        while todo:
            each = todo.pop()
            ancestors.add(each)
            todo += classes.get(each, set()) - ancestors
        assert name.startswith("_") or ancestors & base, name


def test_the_numbers_of_the_case_table_stand_once():
    """2^53 - 1, 500 items, 64 changes, 5 minutes and 5 seconds: each is one constant, which the rest imports."""
    constants = {
        "AMOUNT_MAX": r"2\s*\*\*\s*53|9007199254740991",
        "ITEMS_MAX": r"\bITEMS?_MAX\w*(?:: \w+)? = 500\b",
        "CHANGES_MAX": r"\bCHANGES?_MAX\w*(?:: \w+)? = 64\b",
        "CHANGE_TOLERANCE_MS": r"TOLERANCE\w*(?:: \w+)? = 5_?000\b",
        "FUTURE_MAX_MS": r"5 \* 60 \* 1_?000\b|\b300_?000\b",
    }
    for name, pattern in constants.items():
        places = [
            f"{path.relative_to(PACKAGE)}: {line.strip()}"
            for path in MODULES
            for line in path.read_text().splitlines()
            if re.search(pattern, line.partition("#")[0]) and not line.lstrip().startswith(('"', "'", "r"))
        ]
        assert len(places) == 1, (name, places)
        assert name in places[0]
