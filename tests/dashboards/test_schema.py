"""The dashboards have the form that Grafana's own types describe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.dashboards.panels import DIRECTORY

PACKAGES = ("@grafana/schema@11.6.0", "typescript@5.8.3")

# Grafana's enums have words as values; JSON has the words themselves.
PLAIN = """\
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : { [K in keyof T]: Plain<T[K]> };
"""
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "bundler", "--module", "esnext")
INSTALL_LIMIT_S = 120.0


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with tsc and Grafana's types. Skips the tests without npm, but not in CI."""
    npm = shutil.which("npm")
    if npm is None:
        if "CI" in os.environ:
            pytest.fail("npm is missing: install Node.js")
        pytest.skip("needs npm")
    directory = tmp_path_factory.mktemp("schema")
    (directory / "package.json").write_text("{}")
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES],
        cwd=directory,
        check=True,
        capture_output=True,
        timeout=INSTALL_LIMIT_S,
    )
    return directory


def complaints(directory: Path, text: str) -> str:
    """What the compiler says of a dashboard."""
    source = (
        f"import type {{ Dashboard }} from '@grafana/schema';\n{PLAIN}const it: Plain<Dashboard> = {text};\nvoid it;\n"
    )
    (directory / "dashboard.ts").write_text(source)
    compiled = subprocess.run(
        ["node_modules/.bin/tsc", *OPTIONS, "dashboard.ts"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=INSTALL_LIMIT_S,
        check=False,
    )
    assert (compiled.returncode == 0) == (compiled.stdout == "")
    return compiled.stdout


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(path.name for path in DIRECTORY.glob("*.json")))
def test_a_dashboard_is_one_of_grafanas(compiler, name):
    """By the types of the same major version."""
    assert complaints(compiler, (DIRECTORY / name).read_text()) == ""


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_wrong_dashboard_is_none(compiler):
    """A field that nobody knows, and a word that an enum does not have."""
    content = json.loads((DIRECTORY / "wallet-redis.json").read_text())
    assert "panelz" in complaints(compiler, json.dumps(content | {"panelz": []}))
    content["panels"][0]["fieldConfig"]["defaults"]["thresholds"]["mode"] = "sometimes"
    assert '"sometimes"' in complaints(compiler, json.dumps(content))
