"""The service of this repository passes its own conformance suite, as an operator would run it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from shutil import which
from xml.etree import ElementTree as ET

import pytest

from seamless_wallet.conformance import all_cases
from tests.acceptance import service_process
from tests.acceptance.service_process import CONFIG, KEY, RunningService

EVERYTHING = ("--level", "ours", "--strict")
"""What counts: every case, and none may be skipped."""

HOOK = Path(__file__).resolve().parents[2] / "docs" / "back-office-hook.sh"


@pytest.mark.timeout(120)
def test_the_real_service_passes_every_case(tmp_path: Path) -> None:
    """`wallet conformance` beside a running `wallet up`: nothing fails and nothing is skipped."""
    junit = tmp_path / "report.xml"
    with RunningService(tmp_path, WALLET_SESSION_GRACE_MS="3000") as service:
        result = service.wallet("conformance", *EVERYTHING, "--json", "--junit", str(junit), limit_s=100)
    assert result.returncode in {0, 1}, result.stderr
    report = json.loads(result.stdout)
    assert [case for case in report["cases"] if case["status"] != "pass"] == []
    counts = {"pass": len(all_cases()), "fail": 0, "skip": 0}
    assert {status: report["summary"][status] for status in counts} == counts
    assert result.returncode == 0
    assert ET.parse(junit).getroot().attrib["failures"] == "0"  # noqa: S314 - written just now


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.skipif(which("curl") is None and "CI" not in os.environ, reason="needs curl")
def test_the_real_service_passes_every_case_by_way_of_a_hook(tmp_path: Path) -> None:
    """The example of docs/conformance.md makes players, moves money and blocks; nothing else is told."""
    (tmp_path / "api.key").write_text(KEY)
    with RunningService(tmp_path, WALLET_SESSION_GRACE_MS="3000") as service:
        environ = service.environ | {
            "WALLET_CONFIG": str(tmp_path / "none.toml"),
            "ADMIN_URL": service.admin_url,
            "TOKEN_FILE": str(tmp_path / "var" / "admin.token"),
        }
        words = [f"{service.webhook_url}/webhook/acme", "--api-id", "acme", "--api-key-file", str(tmp_path / "api.key")]
        words += ["--hook", str(HOOK), "--grace-s", "3", "--json", *EVERYTHING]
        result = service_process.run(["conformance", *words], environ, limit_s=150)
    assert result.returncode in {0, 1}, result.stderr
    report = json.loads(result.stdout)
    assert [case for case in report["cases"] if case["status"] != "pass"] == []
    assert len(report["cases"]) == len(all_cases())


def test_the_choices_of_the_settings_are_expected(tmp_path: Path) -> None:
    """The configurable rows, with every choice the other way round, and a currency of eight digits."""
    choices = (
        'session = "off"\ncancel_unknown = "r3"\nchange_overdraw = "reject"\nbet_age_max_s = 60\n'
        'currencies = ["BTC", "USD"]\n'
    )
    config = f"{CONFIG}{choices}[currencies]\nBTC = 8\nUSD = 2\n"
    words = [word for row in (33, 35, 43, 66, 15, 1) for word in ("--only", f"row:{row}")]
    with RunningService(tmp_path, config=config, WALLET_SESSION_GRACE_MS="1000") as service:
        result = service.wallet("conformance", "--json", "--level", "ours", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["summary"]["pass"] > 20
    assert {case["detail"].partition(";")[0] for case in report["cases"] if case["status"] == "skip"} == {
        "is only for --session required",
        "is only for --cancel-unknown tombstone",
        "is only for --change-overdraw debt",
    }
