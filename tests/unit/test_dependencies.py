"""What the project imports, it declares: a distribution that comes along with another may stop coming."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = {"seamless_wallet", "tests", "benchmarks", "deploy"}
NO_DISTRIBUTION = {"_typeshed"}
"""Known to type checkers only."""


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements name."""
    return {normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0]) for requirement in requirements}


def normal(name: str) -> str:
    """A distribution's name, as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_from(*folders: str) -> set[str]:
    """The distributions that the modules in these folders import, wherever in the file."""
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    outside = found - OURS - NO_DISTRIBUTION - sys.stdlib_module_names
    found = {normal(name) for package in outside - NAMESPACES.keys() for name in INSTALLED.get(package, [package])}
    return found.union(*(EXTRAS[NAMESPACES[package]] for package in outside & NAMESPACES.keys()))


INSTALLED = packages_distributions()
DECLARED = names(PROJECT["project"]["dependencies"])
EXTRAS = {extra: names(named) for extra, named in PROJECT["project"]["optional-dependencies"].items()}
NAMESPACES = {"opentelemetry": "otel"}
"""Packages that several distributions share, and the extra that has them."""
DEVELOPMENT = names(PROJECT["dependency-groups"]["dev"])


def test_what_the_service_imports_is_declared():
    """And what is declared is imported: nobody installs what nothing needs."""
    assert imported_from("service") == DECLARED.union(*EXTRAS.values())


def test_what_tests_and_benchmarks_import_is_declared():
    """In the group `dev`, which has tools beside it that nothing imports."""
    assert imported_from("tests", "benchmarks", "deploy") <= DECLARED.union(DEVELOPMENT, *EXTRAS.values())


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-otel.txt", "requirements-dev.txt"])
def test_what_is_declared_is_locked(lock):
    """`make lock` was run after the last change of dependencies."""
    text = (ROOT / lock).read_text()
    locked = {normal(name) for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.MULTILINE)}
    assert (DECLARED | DEVELOPMENT if "dev" in lock else DECLARED) <= locked
    assert lock == "requirements.txt" or EXTRAS["otel"] <= locked
    for name in DECLARED:
        (reasons,) = re.findall(
            rf"^{re.escape(name)}(?:\[\w+\])?==.*\n(?: +--hash.*\n)+((?: +#.*\n)+)", text, re.MULTILINE | re.IGNORECASE
        )
        assert "seamless-wallet (pyproject.toml)" in reasons, name
