"""The service of this repository passes its own conformance suite, as an operator would run it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from service.conformance import all_cases
from tests.acceptance.service_process import RunningService


@pytest.mark.timeout(120)
def test_the_real_service_passes_every_case(tmp_path: Path) -> None:
    """`wallet conformance` beside a running `wallet up`: nothing fails and nothing is skipped."""
    junit = tmp_path / "report.xml"
    with RunningService(tmp_path, WALLET_SESSION_GRACE_MS="2000") as service:
        result = service.wallet("conformance", "--json", "--strict", "--junit", str(junit), limit_s=100)
    assert result.returncode in {0, 1}, result.stderr
    report = json.loads(result.stdout)
    assert [case for case in report["cases"] if case["status"] != "pass"] == []
    assert report["summary"] == {"pass": len(all_cases()), "fail": 0, "skip": 0}
    assert result.returncode == 0
    assert ET.parse(junit).getroot().attrib["failures"] == "0"  # noqa: S314 - written just now
