"""What errors and help point to is there for whoever has only the wheel: `wallet docs NAME` prints it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from seamless_wallet.cli import app
from seamless_wallet.cli.docs import pages

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WRITES_A_PAGE = "_reference.py"
"""How modules end whose texts are pages themselves."""


def wallet(*words: str, status: int = 0):
    """Run the command with these words."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == status, result.output
    return result


def texts_for_users() -> Iterator[tuple[Path, str]]:
    """Every string of the package that is no docstring, and the help of every command."""
    for path in sorted((ROOT / "service").rglob("*.py")):
        tree = ast.parse(path.read_text())
        bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
                yield path, node.value
    commands = [typer.main.get_command(app)]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        yield (
            Path(str(command.name)),
            "\n".join([str(command.help), *(str(getattr(param, "help", "")) for param in command.params)]),
        )


@pytest.mark.parametrize("path", sorted(DOCS.iterdir()), ids=lambda path: path.name)
def test_every_page_is_printed_as_it_is(path):
    """By its name without `.md`; other files by their whole name."""
    assert wallet("docs", path.name.removesuffix(".md")).stdout == path.read_text()


def test_the_pages_are_listed_with_their_titles():
    """Without a name."""
    listed = wallet("docs").stdout
    assert set(pages()) == {path.name.removesuffix(".md") for path in DOCS.iterdir()}
    for name in pages():
        assert re.search(rf"^{re.escape(name)}\b", listed, re.MULTILINE), name
    assert re.search("^semantics +Semantics: what the wallet does, case by case$", listed, re.MULTILINE)


def test_a_page_may_be_named_by_its_file():
    """As the links of other pages name it."""
    assert wallet("docs", "wire.md").stdout == wallet("docs", "wire").stdout


def test_a_page_that_is_not_there_is_told_in_a_line():
    """With those that are."""
    result = wallet("docs", "nonsense", status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("wallet: there is no page 'nonsense'; choose one of: admin-api, ")
    assert result.stderr.count("\n") == 1


def test_the_example_of_a_hook_is_printed():
    """So that it can be written to a file and changed."""
    assert wallet("conformance", "--print-hook").stdout == (DOCS / "back-office-hook.sh").read_text()


def test_no_text_for_users_names_a_file_that_only_a_checkout_has():
    """Errors, remedies, help and the files that the program writes."""
    for path, text in texts_for_users():
        if not path.name.endswith(WRITES_A_PAGE):
            assert not re.search(r"\bdocs/|\w\.md\b", text), (path, text)


def test_every_page_that_a_text_names_is_there():
    """`wallet docs NAME`, in whatever the program says."""
    named = {
        (path.name, name) for path, text in texts_for_users() for name in re.findall(r"wallet docs ([a-z-]+)", text)
    }
    assert {name for _, name in named} >= {"codes", "operations", "semantics", "settings", "wire"}
    assert {(where, name) for where, name in named if name not in pages()} == set()
