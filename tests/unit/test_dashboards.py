"""The dashboards are those that the code makes; alerts, panels and the runbook lead to each other."""

from __future__ import annotations

import re

import pytest

from deploy.dashboards.__main__ import DIRECTORY, texts
from seamless_wallet.observability import metrics
from tests.dashboards.panels import all_panels
from tests.unit.test_alerts import ALERTS, NAMES

PANELS = all_panels()


def test_the_committed_dashboards_are_current():
    """Run `python -m deploy.dashboards` after a change of a panel."""
    assert {path.name: path.read_text() for path in DIRECTORY.glob("*.json")} == texts()


def test_each_alert_leads_to_a_panel_that_leads_to_its_section_of_the_runbook():
    """From the alert to the numbers, and from there to what to do."""
    links = re.findall(r"dashboard_url: https://grafana\.example/d/([\w-]+)\?viewPanel=(\d+)$", ALERTS, re.MULTILINE)
    by_place = {(panel.page, panel.number): panel for panel in PANELS}
    assert len(links) == len(NAMES)
    for name, (page, number) in zip(NAMES, links, strict=True):
        panel = by_place[page, int(number)]
        assert name in panel.alerts, f"{name} leads to {panel}"
        urls = [link["url"] for link in panel.content["links"]]
        assert f"${{runbook}}#{name.lower()}" in urls


def test_a_panel_names_just_the_alerts_that_exist():
    """An alert that was renamed has another section."""
    assert {name for panel in PANELS for name in panel.alerts} == set(NAMES)


@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_each_panel_says_what_it_shows_and_in_which_unit(panel):
    """And asks for metrics that exist."""
    assert panel.content["description"].endswith(".")
    assert panel.content["fieldConfig"]["defaults"]["unit"]
    known = {metric.name for metric in metrics.ALL}
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum")}
    for expression, _ in panel.queries():
        assert set(re.findall(r"\bwallet_\w+", expression)) <= known


def test_each_dashboard_has_room_for_its_panels():
    """No two of them overlap, none is wider than the page."""
    for page in {panel.page for panel in PANELS}:
        taken: set[tuple[int, int]] = set()
        for panel in (each for each in PANELS if each.page == page):
            place = panel.content["gridPos"]
            cells = {
                (place["x"] + column, place["y"] + row) for column in range(place["w"]) for row in range(place["h"])
            }
            assert not cells & taken, panel
            assert max(column for column, _ in cells) < 24
            taken |= cells
