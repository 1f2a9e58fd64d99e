"""The wheel and the sdist: what is in them, and that the installed wheel is a whole wallet, far from any checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from seamless_wallet.settings import load_settings
from tests.acceptance.service_process import RunningService, run

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service" / "seamless_wallet"
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def build(source: Path, destination: Path) -> Path:
    """The wheel of a source tree, built with the backend that is installed here: offline, without isolation."""
    return _hatchling(source, destination, "wheel", "*.whl")


def _hatchling(source: Path, destination: Path, target: str, pattern: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(destination)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = destination.glob(pattern)
    return file


def contents(wheel: Path) -> dict[str, bytes]:
    """Every file of a wheel with its bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    """Every module, script and SQL file, the marker of types, and metadata; no top-level `service` or `lua`."""
    expected = {
        f"seamless_wallet/{path.relative_to(PACKAGE)}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    expected |= {f"seamless_wallet/{path.relative_to(ROOT)}" for path in (ROOT / "lua").rglob("*.lua")}
    expected |= {f"seamless_wallet/{path.relative_to(ROOT)}" for path in (ROOT / "docs").iterdir()}
    assert {"seamless_wallet/py.typed", "seamless_wallet/lua/bet.lua", "seamless_wallet/docs/wire.md"} < expected
    assert any(name.endswith(".sql") for name in expected)
    name, version = wheel.name.split("-")[:2]
    assert set(contents(wheel)) == expected | {f"{name}-{version}.dist-info/{file}" for file in METADATA}


def test_the_description_leads_nowhere_that_only_a_checkout_has(wheel: Path) -> None:
    """A page of the package shows it as it is: no relative link, and every page that it names is in the wheel."""
    found = contents(wheel)
    (metadata,) = [text for name, text in found.items() if name.endswith(".dist-info/METADATA")]
    headers, _, description = metadata.decode().partition("\n\n")
    assert "Description-Content-Type: text/markdown" in headers
    assert "wallet up --demo" in description
    links = re.findall(r"\]\(([^)]*)\)", description)
    assert [link for link in links if not link.startswith("https://")] == []
    named = re.findall(r"wallet docs ([a-z-]+)", description)
    assert named
    assert {f"seamless_wallet/docs/{name}.md" for name in named} <= found.keys()


def test_a_wheel_built_from_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    """Whoever builds from the sdist gets what is released."""
    sdist = _hatchling(ROOT, tmp_path, "sdist", "*.tar.gz")
    subprocess.run(["tar", "xf", str(sdist), "-C", str(tmp_path)], timeout=60, check=True)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert contents(build(unpacked, tmp_path / "dist")) == contents(wheel)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """A virtual environment with the wheel, which sees this one's dependencies and not its seamless_wallet. Its bin."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], timeout=60, check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], timeout=60, check=True)
    (site_packages,) = venv.glob("lib/python*/site-packages")
    # A folder that a .pth file names comes last on the path, and .pth files in it (editable installs) are not read.
    paths = sysconfig.get_paths()
    (site_packages / "dependencies.pth").write_text("".join(f"{paths[name]}\n" for name in ("purelib", "platlib")))
    return venv / "bin"


@pytest.mark.timeout(180)
def test_the_installed_wheel_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    """`up --demo`, rounds, conformance and `verify` in an empty directory, with nothing of this checkout in sight."""
    directory = tmp_path / "empty"
    directory.mkdir()
    environ = {
        "PATH": f"{installed}{os.pathsep}{os.defpath}",
        "HOME": str(directory),
        "WALLET_WEBHOOK_PORT": "0",
        "WALLET_ADMIN_PORT": "0",
    }
    program = (str(installed / "wallet"),)
    found = subprocess.run(
        [installed / "python", "-c", "import seamless_wallet; print(seamless_wallet.__file__)"],
        env=environ,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(installed.parent)
    page = run(("docs", "semantics"), environ, program=program, directory=directory)
    assert page.stdout == (ROOT / "docs" / "semantics.md").read_text()
    hook = run(("conformance", "--print-hook"), environ, program=program, directory=directory)
    assert hook.stdout == (ROOT / "docs" / "back-office-hook.sh").read_text()

    with RunningService.of_program(directory, program, ("up", "--demo"), environ) as service:
        simulated = service.wallet("simulate", "--players", "2", "--rounds", "3", "--seed", "1", "--json")
        assert simulated.returncode == 0, simulated.stdout + simulated.stderr
        assert json.loads(simulated.stdout)["ok"] is True
        conformance = service.wallet("conformance", "--only", "row:30", "--only", "row:50", "--json", "--strict")
        assert conformance.returncode == 0, conformance.stdout + conformance.stderr
        assert json.loads(conformance.stdout)["summary"]["pass"] > 5
    assert service.process.returncode == 0, service.log.read_text()
    verified = run(("verify", "--json"), environ, program=program, directory=directory)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["ledger"]["entries"] > 0

    assert not list((directory / "var" / "pids").iterdir())
    assert not load_settings({"WALLET_DATA_DIR": str(directory / "var")}).run_dir.exists()
