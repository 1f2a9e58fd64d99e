"""The rules for Prometheus are valid, do what their tests say, and each alert has a section of the runbook."""

from __future__ import annotations

import re
import subprocess

import pytest

from seamless_wallet.observability import metrics
from tests.prometheus_server import ROOT, RULES, program

ALERTS = (RULES / "alerts.yml").read_text()
RECORDING = (RULES / "recording.yml").read_text()
NAMES = re.findall(r"^ +- alert: (\w+)$", ALERTS, re.MULTILINE)
TESTS = sorted(path.name for path in RULES.glob("*test*.yml"))


def promtool(*arguments: str) -> None:
    """Run it to its end, and expect that it is content."""
    ended = subprocess.run(
        [program("promtool"), *arguments], cwd=RULES, capture_output=True, text=True, timeout=170, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_rules_are_valid():
    """By the example of a configuration, which names them."""
    promtool("check", "config", "prometheus.yml")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", TESTS)
def test_the_rules_do_what_their_tests_say(name):
    """Each alert fires when it should; a healthy wallet wakes nobody."""
    promtool("test", "rules", name)


def test_each_alert_is_tested():
    """By its name."""
    tested = re.findall(r'^  - name: "(\w+): ', "".join((RULES / name).read_text() for name in TESTS), re.MULTILINE)
    assert sorted(tested) == sorted(NAMES)


def test_each_alert_has_its_section_of_the_runbook_and_names_it():
    """In the same order, so that neither is forgotten."""
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sections == NAMES
    assert re.findall(r"runbook_url: .*/docs/runbook\.md#(\w+)$", ALERTS, re.MULTILINE) == [
        name.lower() for name in NAMES
    ]


def test_the_rules_name_just_the_metrics_that_exist():
    """A metric that was renamed would silence its alert."""
    known = {metric.name for metric in metrics.ALL}
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum")}
    assert set(re.findall(r"\bwallet_\w+", RECORDING + ALERTS)) - known <= set(
        re.findall(r"^  - name: (\w+)$", RECORDING + ALERTS, re.MULTILINE)
    )


def test_the_page_of_the_service_level_names_the_policies_that_the_rules_leave_out():
    """An R1 that a policy gives is no error, in both."""
    (left_out,) = set(re.findall(r'reason!~"([^"]+)"', RECORDING))
    row = next(line for line in (ROOT / "docs" / "slo.md").read_text().splitlines() if line.startswith("| R1 `orphan`"))
    assert re.findall(r"`(\w+)`", row) == left_out.split("|")
