"""The tests of who writes can fail: each rule, broken, is found by the test that is named for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.writer_mutants import MUTANTS

ROOT = Path(__file__).parents[2]
SAMPLE = {
    "any head is taken over",
    "a displaced writer commits",
    "SQL is asked as often as anybody tells",
}
"""One of the scripts, of SQL, of the workers and of the writer. `make test-long` tries them all."""

WAIT_S = 5
"""How long a condition may take there. A broken rule often shows as something that never comes."""

LIMIT_S = 30
"""How long a test may take there."""

FAILED = 1
"""Exit status of pytest if a test has failed. It is another one if there is no such test."""


def run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """These tests, in a process of its own, on a copy of the package."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    command += [f"--timeout={LIMIT_S}", *tests]
    environ = {
        **os.environ,
        "PYTHONPATH": str(copy / "service"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_WAIT_S": str(WAIT_S),
        "TEST_LEDGER": "sqlite",  # some of these tests copy a file
    }
    environ.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Of lua/ and service/."""
    for folder in ("lua", "service"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SAMPLE else pytest.mark.long) for name in MUTANTS]
)
def test_the_mutant_is_found(name: str, copy: Path) -> None:
    """By its test."""
    mutant = MUTANTS[name]
    mutant.write_into(copy)
    found = run(copy, mutant.test)
    assert found.returncode == FAILED, found.stdout[-2000:] + found.stderr[-2000:]


def test_the_sample_is_of_them() -> None:
    """A name that is gone would leave its kind out."""
    assert set(MUTANTS) > SAMPLE


@pytest.mark.long
@pytest.mark.timeout(180)
def test_without_a_mutant_they_all_pass(copy: Path) -> None:
    """So it is the rule that is missed, and not the copy."""
    passed = run(copy, *sorted({mutant.test for mutant in MUTANTS.values()}))
    assert passed.returncode == 0, passed.stdout[-2000:] + passed.stderr[-2000:]
