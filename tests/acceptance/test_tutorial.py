"""The tutorial, as a reader follows it: every block is run, in order, and prints what the page shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from seamless_wallet import __version__
from tests.acceptance.service_process import START_LIMIT_S, STOP_LIMIT_S, WALLET, wait_until

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
CLONED = ("service", "lua", "docs", "pyproject.toml", "LICENSE")
"""What of the repository the tutorial works in."""

NEEDS_PYPI = ("make ",)
"""How blocks begin that are not run: a test has no network."""

PORTS = ("8080", "8081")
BLOCK_LIMIT_S = 120.0
END = "===== end of block ====="


class Block(NamedTuple):
    """A fenced block. `title` is the file that it fills or changes; `shown` what it prints, if the page says so."""

    language: str
    title: str
    text: str
    shown: str | None
    shown_as: str


def blocks() -> list[Block]:
    """All blocks of the page; what stands directly below a shell block is what that one prints."""
    fence = re.compile(
        r"^```(?P<language>\w+)(?: title=(?P<title>\S+))?\n(?P<text>.*?)^```$"
        r"(?:\n```(?P<shown_as>text|json)\n(?P<shown>.*?)^```$)?",
        re.MULTILINE | re.DOTALL,
    )
    return [
        Block(match["language"], match["title"] or "", match["text"], match["shown"], match["shown_as"] or "")
        for match in fence.finditer(PAGE.read_text())
    ]


def steady(text: str) -> str:
    """Without what differs from run to run: moments, durations, the version, the number of conformance cases."""
    text = re.sub(r"\b1\d{9}(?:\d{3})?\b", "1767225599", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "2026-01-01T00:00:00.000Z", text)
    text = re.sub(r"(\d+ passed) in [\d.]+s", r"\1 in 1.0s", text)
    text = re.sub(r"^\d+ passed, ", "100 passed, ", text)
    text = text.replace(f"-{__version__}-", "-0.1.0-")
    return re.sub(r"^\n", "", text, flags=re.MULTILINE)  # a progress bar that is not shown leaves an empty line


def assert_shown(block: Block, printed: str) -> None:
    """The block printed what the page shows; `…` stands for anything, on a line of its own for any lines."""
    assert block.shown is not None
    shown, printed = steady(block.shown), steady(printed)
    if block.shown_as == "json":
        assert json.loads(printed) == json.loads(shown), block.text
        return
    lines = [
        r"(?:.*\n)*?" if line == "…\n" else re.escape(line).replace("…", ".*")
        for line in shown.splitlines(keepends=True)
    ]
    assert re.fullmatch("".join(lines), printed), f"{block.text}\nprinted\n{printed}\nand the page shows\n{shown}"


class Reader:
    """Two terminals in a directory: one runs the service, the other one everything else."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = dict(zip(PORTS, _free_ports(), strict=True))
        self._log = directory / "up.log"
        self._service: subprocess.Popen[bytes] | None = None
        self._environ = self._environment()
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=directory,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.run("set -o pipefail; trap 'echo \"FAILED: $BASH_COMMAND\"' ERR\n")

    def _environment(self) -> dict[str, str]:
        """Nobody else's settings, and the commands of this interpreter's environment."""
        programs = self._directory / ".programs"
        programs.mkdir()
        wallet = programs / "wallet"
        wallet.write_text(f'#!/bin/sh\nexec {" ".join(WALLET)} "$@"\n')
        wallet.chmod(0o755)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("WALLET_", "PYTEST_", "TEST_"))
        }
        return {
            **inherited,
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self._directory / "service"),
            "WALLET_WEBHOOK_PORT": self._ports["8080"],
            "WALLET_ADMIN_PORT": self._ports["8081"],
        }

    def here(self, text: str) -> str:
        """A text of the page with the ports of this run."""
        return re.sub(r"(?<=127\.0\.0\.1:)80(80|81)\b", lambda match: self._ports[match[0]], text)

    def there(self, text: str) -> str:
        """What was printed, with the ports and paths of the page."""
        for of_page, of_run in self._ports.items():
            text = text.replace(f"127.0.0.1:{of_run}", f"127.0.0.1:{of_page}")
        return text

    def run(self, text: str) -> str:
        """What a block prints in the second terminal. No command of it may fail."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{self.here(text)}\necho '{END}'\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.endswith(f"{END}\n"):
                printed = "".join(lines) + line.removesuffix(f"{END}\n")
                assert "FAILED: " not in printed, printed
                return self.there(printed)
            lines.append(line)
        raise AssertionError(f"the shell ended: {''.join(lines)}")

    def start(self, command: str) -> str:
        """Stop the service and run `wallet up …` in the first terminal; what it prints until it is ready."""
        self.stop()
        with self._log.open("w") as log:
            self._service = subprocess.Popen(
                [*WALLET, *command.split()[1:]], cwd=self._directory, env=self._environ, stdout=log, stderr=log
            )
        process = self._service
        ready = re.compile("Play an encrypted" if "--demo" in command else r'"event": ?"ready"')

        def is_ready() -> bool:
            return process.poll() is not None or ready.search(self._log.read_text()) is not None

        wait_until(is_ready, START_LIMIT_S, f"`{command}` prints {ready.pattern}")
        assert process.poll() is None, self._log.read_text()
        lines = self._log.read_text().splitlines(keepends=True)
        return self.there("".join(line for line in lines if not line.startswith('{"')))  # the log is where it falls

    def stop(self) -> None:
        """Ctrl-C in the first terminal."""
        if self._service is not None:
            self._service.send_signal(signal.SIGINT)
            assert self._service.wait(STOP_LIMIT_S) == 0, self._log.read_text()
            self._service = None

    def leave(self) -> None:
        """Close both terminals."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()
        if self._service is not None and self._service.poll() is None:
            self._service.terminate()
            self._service.wait(STOP_LIMIT_S)


def _free_ports() -> list[str]:
    with ExitStack() as stack:
        probes = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in PORTS]
        return [str(probe.getsockname()[1]) for probe in probes]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody in a clone of this repository."""
    for name in CLONED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tmp_path / name)
    reading = Reader(tmp_path)
    yield reading
    reading.leave()


def change(path: Path, diff: str) -> None:
    """Apply a diff of single lines: a line that is kept must be there, and a removed one exactly once."""
    text = path.read_text()
    place = 0
    for line in diff.splitlines(keepends=True):
        sign, content = line[0], line[1:]
        if sign == "+":
            text = text[:place] + content + text[place:]
            place += len(content)
            continue
        assert text.count(content) == 1, content
        place = text.index(content)
        if sign == "-":
            text = text[:place] + text[place + len(content) :]
        else:
            place += len(content)
    path.write_text(text)


@pytest.mark.timeout(300)
def test_the_tutorial_works_word_for_word(reader: Reader, tmp_path: Path) -> None:
    """From the first start to a wire format of one's own, with everything that the page shows."""
    started = 0
    for block in blocks():
        if block.language == "sh" and not block.text.startswith(NEEDS_PYPI):
            command = block.text.strip()
            if command.startswith("wallet up"):
                started += 1
                printed = reader.start(command)
            else:
                printed = reader.run(block.text)
            if block.shown is None:
                assert not printed, printed
            else:
                assert_shown(block, printed)
        elif block.language == "python":
            (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.title).write_text(block.text)
        elif block.language == "diff":
            change(tmp_path / block.title, block.text)
    assert started == 3
    reader.stop()
    wheels = list((tmp_path / "dist").glob("*.whl"))
    assert len(wheels) == 1


def test_the_code_of_the_tutorial_is_clean(tmp_path: Path) -> None:
    """What a reader copies passes the linter and the formatter of this project."""
    files = [block for block in blocks() if block.language == "python"]
    assert len(files) == 2
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "service", tmp_path / "service")
    for block in files:
        (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / block.title).write_text(block.text)
    ruff = str(Path(sys.executable).with_name("ruff"))
    for arguments in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [ruff, *arguments, *(block.title for block in files)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_the_page_is_the_sample() -> None:
    """The request that the page explains is the one that openssl seals."""
    (example,) = (block.text for block in blocks() if block.language == "json" and '"op"' in block.text)
    sample = next(block.text for block in blocks() if "> stake.json" in block.text)
    written = "".join(re.findall(r"'(\{.*,|\"bets.*\})'", sample))
    assert json.loads(written) == json.loads(example)
