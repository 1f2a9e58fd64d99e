"""The files in deploy/ say what the code relies on."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path

from seamless_wallet.supervisor.embedded_valkey import valkey_command

ROOT = Path(__file__).parents[2]
LOCAL = {"port", "unixsocket", "unixsocketperm", "daemonize", "dir", "logfile", "bind", "protected-mode"}


def test_redis_conf_has_the_options_of_the_embedded_server(tmp_path: Path):
    """What a server of one's own must be set to is what the embedded one is set to."""
    command = valkey_command(tmp_path, tmp_path / "redis.sock")[1:]
    embedded = {name.removeprefix("--"): value for name, value in zip(command[::2], command[1::2], strict=True)}
    lines = (ROOT / "deploy" / "redis.conf").read_text().splitlines()
    described = {m[1]: m[2].strip('"') for m in map(re.compile(r"([a-z-]+) (.+)").fullmatch, lines) if m}
    assert {k: v for k, v in described.items() if k not in LOCAL} == {
        k: v for k, v in embedded.items() if k not in LOCAL
    }


def test_the_unit_starts_the_service_and_does_not_repeat_a_bad_setting():
    """`wallet up`, and no restart after exit status 78."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "deploy" / "wallet.service")
    service = unit["Service"]  # names are read without regard to case
    assert service["ExecStart"].endswith("/wallet up")
    assert service["RestartPreventExitStatus"] == str(os.EX_CONFIG)
    assert int(service["TimeoutStopSec"]) >= 30
