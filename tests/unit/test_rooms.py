"""What a room says that it does not know, it cannot import: lint-imports refuses it.

Imports of other distributions and of the standard library are listed in `test_ambient.py`, room by room.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = [
    ("backoffice.handlers", "providers"),
    ("backoffice.handlers", "stores.sqlite"),
    ("clients.webhook", "settings"),
    ("commands", "settings"),
    ("engine.keys", "ledger.entry"),
    ("http_server.listener", "settings"),
    ("ledger.fold", "observability.metrics"),
    ("observability.logs", "settings"),
    ("providers.dowinn_v3", "stores"),
    ("recovery", "stores.sqlite"),
    ("stores.rows", "settings"),
    ("supervisor.child", "engine.keys"),
    ("supervisor.child", "money"),
    ("wallet.loader", "http_server.serving"),
    ("wallet.loader", "providers"),
    ("wallet.loader", "stores.sqlite"),
    ("webhook.endpoint", "engine.keys"),
    ("webhook.endpoint", "settings.field_types"),
    ("webhook.endpoint", "wallet.service"),
    ("writer.cycle", "providers"),
    ("writer.cycle", "settings"),
]
"""A module, and one that its room does not know."""


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """What lint-imports says of the package in `root`, by this project's contracts."""
    program = (
        "import sys; sys.path.insert(0, 'service'); from importlinter.cli import lint_imports_command as run; run()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "1000"},
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> str:
    """What lint-imports says when all of these imports are there, and a module that belongs to no layer."""
    root = tmp_path_factory.mktemp("tree")
    package = root / "service" / "seamless_wallet"
    shutil.copytree(ROOT / "service" / "seamless_wallet", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "stranger.py").write_text("import seamless_wallet.cli\n")
    for module, other in FORBIDDEN:
        with package.joinpath(*module.split(".")).with_suffix(".py").open("a") as file:
            file.write(f"\nimport seamless_wallet.{other}\n")
    result = lint_imports(root)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(("module", "other"), FORBIDDEN)
def test_a_room_cannot_import_what_it_does_not_know(told, module, other):
    """Each of them is refused, and not only the first."""
    assert re.search(rf"^- *seamless_wallet\.{module} -> seamless_wallet\.{other} \(l\.", told, re.MULTILINE)


def test_a_new_module_has_to_find_its_layer(told):
    """Otherwise it could import all, and be imported by all."""
    assert re.search(r"^- seamless_wallet\.stranger$", told, re.MULTILINE)
