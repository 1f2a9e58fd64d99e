"""A public docstring names the errors that its function raises itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "service" / "seamless_wallet"

HELP_OR_TITLE = ("cli", "conformance/cases")
"""The docstring of a command is its help, and that of a case its title."""


def own(node: ast.AST) -> Iterator[ast.AST]:
    """What is in a function, without the functions and classes in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from own(child)


def silent(node: ast.AST) -> Iterator[str]:
    """The public functions that raise an error of their own and do not say "Raises"."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from silent(child)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            raises = any(isinstance(each, ast.Raise) and each.exc is not None for each in own(child))
            if raises and "Raises" not in (text := ast.get_docstring(child) or "") and "or raise" not in text:
                yield child.name
        elif isinstance(child, ast.If | ast.Try):
            yield from silent(child)


def test_a_public_function_names_what_it_raises():
    """Whoever calls it need not read it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.relative_to(PACKAGE).as_posix() not in HELP_OR_TITLE:
            found[path.relative_to(PACKAGE).as_posix()] = list(silent(ast.parse(path.read_text())))
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    raise KeyError",
        "async def f():\n    '''Does it.'''\n    if True:\n        raise KeyError",
        "class C:\n def f(self):\n  '''Does it.'''\n  try:\n   g()\n  except OSError:\n   raise KeyError from None",
    ],
)
def test_a_function_that_does_not_say_so_is_found(source):
    """Wherever it raises."""
    assert list(silent(ast.parse(source))) == ["f"]


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    '''Does it. Raises KeyError.'''\n    raise KeyError",
        "def _f():\n    raise KeyError",
        "def f():\n    def g():\n        raise KeyError\n    return g",
        "def f():\n    try:\n        g()\n    except OSError:\n        raise",
    ],
)
def test_a_function_that_says_so_or_raises_nothing_of_its_own_is_not(source):
    """Nor a private one."""
    assert not list(silent(ast.parse(source)))
