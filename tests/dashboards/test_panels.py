"""What the dashboards ask is there: on a real Prometheus that scrapes a service in use."""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.acceptance.service_process import wait_until
from tests.dashboards.panels import PanelOfFile, all_panels, series
from tests.dashboards.watched_service import LIMIT_S, Watched, watched_service


def unanswered(watched: Watched, panels: list[PanelOfFile]) -> list[str]:
    """The queries that give nothing."""
    now_s = time.time()
    return [
        f"{panel}: {expression}"
        for panel in panels
        for expression, _ in panel.queries()
        if not series(watched.prometheus, expression, watched.since_s, now_s)
    ]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_query_of_every_panel_gives_numbers(tmp_path):
    """While the simulator plays: a metric that was renamed leaves an empty panel."""
    panels = all_panels()
    with watched_service(tmp_path) as watched, watched.playing():
        wait_until(partial(_all_answered, watched, panels), LIMIT_S, "an answer to every query")


def _all_answered(watched: Watched, panels: list[PanelOfFile]) -> bool:
    missing = unanswered(watched, panels)
    if missing:
        print(*missing, sep="\n")
        time.sleep(1)
    return not missing
