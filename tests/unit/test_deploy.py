"""The files in deploy/ say what the code relies on."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seamless_wallet.http_server.listener import BACKLOG
from seamless_wallet.settings import Settings
from seamless_wallet.supervisor.embedded_valkey import valkey_command
from seamless_wallet.supervisor.parent_socket import HEARTBEAT_S
from seamless_wallet.supervisor.roles import VALKEY_STOP_LIMIT_S, WORKER_STOP_LIMIT_S, WRITER_STOP_LIMIT_S

ROOT = Path(__file__).parents[2]
LOCAL = {"port", "unixsocket", "unixsocketperm", "daemonize", "dir", "logfile", "bind", "protected-mode", "disable-thp"}
"""A Redis of one's own may have replicas, for which it copies itself."""


def test_redis_conf_has_the_options_of_the_embedded_server(tmp_path: Path):
    """What a server of one's own must be set to is what the embedded one is set to."""
    command = valkey_command(tmp_path, tmp_path / "redis.sock")[1:]
    embedded = {name.removeprefix("--"): value for name, value in zip(command[::2], command[1::2], strict=True)}
    lines = (ROOT / "deploy" / "redis.conf").read_text().splitlines()
    described = {m[1]: m[2].strip('"') for m in map(re.compile(r"([a-z-]+) (.+)").fullmatch, lines) if m}
    assert {k: v for k, v in described.items() if k not in LOCAL} == {
        k: v for k, v in embedded.items() if k not in LOCAL
    }


def unit(name: str) -> configparser.ConfigParser:
    """A unit file. Names are read without regard to case; of a name that stands twice, the last value."""
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.read(ROOT / "deploy" / name)
    return found


def test_the_unit_starts_the_service_and_does_not_repeat_a_bad_setting():
    """`wallet up`, and no restart after exit status 78."""
    service = unit("wallet.service")["Service"]
    assert service["ExecStart"].endswith("/wallet up")
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == str(os.EX_CONFIG)
    stop_limits_s = WORKER_STOP_LIMIT_S + WRITER_STOP_LIMIT_S + VALKEY_STOP_LIMIT_S
    assert int(service["TimeoutStopSec"]) > stop_limits_s


def test_the_unit_reloads_by_sighup_and_is_watched():
    """The settings are checked first, so that `systemctl reload` fails if one is wrong."""
    service = unit("wallet.service")["Service"]
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert "ExecReload=/opt/wallet/bin/wallet config check\n" in (ROOT / "deploy" / "wallet.service").read_text()
    assert int(service["WatchdogSec"]) > 10 * HEARTBEAT_S


def test_the_socket_unit_has_the_ports_and_the_backlog_of_the_service():
    """A port that no setting names would be refused."""
    text = (ROOT / "deploy" / "wallet.socket").read_text()
    fields = Settings.model_fields
    assert re.findall("^ListenStream=(.*)$", text, re.MULTILINE) == [
        f"{fields['webhook_host'].default}:{fields['webhook_port'].default}",
        f"{fields['admin_host'].default}:{fields['admin_port'].default}",
    ]
    assert int(unit("wallet.socket")["Socket"]["Backlog"]) == BACKLOG
    assert "wallet.socket" in unit("wallet.service")["Unit"]["Requires"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_hardened(tmp_path: Path):
    """By systemd's own rating, from 0 (safe) to 10. What the unit says is understood, down to the last line."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", ROOT / "deploy" / "wallet.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("wallet.service", "wallet.socket"):
        text = (ROOT / "deploy" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/wallet/bin/wallet", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "wallet.service", tmp_path / "wallet.socket"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


SENT = re.compile(r"""(?:execute|send|packed\(|_try\(connection, |yield)\(? ?\(?"([A-Z]+)"(?:, "([A-Z]+)")?""")
CALLED = re.compile(r"redis\.p?call\(\s*'([A-Z]+)'")
WITH_SUBCOMMANDS = {"SCRIPT", "PUBSUB"}


def commands() -> set[str]:
    """All that the service sends to Redis, or has scripts call there, as rules of a user name it."""
    found = {"ping", "evalsha"}
    for path in (ROOT / "service" / "seamless_wallet").rglob("*.py"):
        if "stores" not in path.parts:
            for name, second in SENT.findall(path.read_text()):
                found.add(f"{name}|{second}".lower() if name in WITH_SUBCOMMANDS else name.lower())
    for path in (ROOT / "lua").rglob("*.lua"):
        found |= {name.lower() for name in CALLED.findall(path.read_text())}
    return found


def test_the_user_of_redis_may_do_just_what_the_service_does():
    """A command that somebody adds has to be granted, and `engine.permissions` has to try it."""
    text = (ROOT / "deploy" / "redis.acl").read_text()
    granted = {rule[1:] for rule in text.split() if rule.startswith("+")}
    assert granted == commands()
    assert text in (ROOT / "docs" / "operations.md").read_text()
