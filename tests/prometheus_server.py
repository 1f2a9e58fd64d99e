"""Prometheus for tests: the programs that `.ci/prometheus-install` unpacks, and a private server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "deploy" / "prometheus"
LIMIT_S = 30.0


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`. Skips the test without it, but not in CI."""
    found = shutil.which(name) or shutil.which(ROOT / ".venv" / "prometheus" / "bin" / name)
    if found is None:
        if "CI" in os.environ:
            pytest.fail(f"{name} is missing: run .ci/prometheus-install")
        pytest.skip(f"needs {name}: run .ci/prometheus-install")
    return found


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP API."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as reply:
            return json.load(reply)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now."""
        return list(self.ask("query", query=expression)["result"])

    def alerts(self) -> dict[str, str]:
        """The alerts that are pending or firing: name → state."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self.ask("alerts")["alerts"]}


@contextmanager
def running_prometheus(directory: Path, target: str, ca: Path, interval: str = "3s") -> Iterator[Prometheus]:
    """A server that scrapes `target` (host:port) as the job `wallet`, with the rules of this repository.

    By HTTPS, and it trusts the authority whose certificate `ca` is.

    A scrape of a service in which a process hangs takes two seconds.
    """
    config = directory / "prometheus.yml"
    scrapes = [
        {
            "job_name": "wallet",
            "scheme": "https",
            "tls_config": {"ca_file": str(ca)},
            "static_configs": [{"targets": [target]}],
        }
    ]
    rules = [str(RULES / name) for name in ("recording.yml", "alerts.yml")]
    # JSON is YAML.
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": interval, "evaluation_interval": interval},
                "rule_files": rules,
                "scrape_configs": scrapes,
            }
        )
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = (
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([program("prometheus"), *options], cwd=directory, stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://{address}", process)
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        try:
            process.wait(LIMIT_S)
        finally:
            process.kill()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"prometheus is not ready; status {process.poll()}")
