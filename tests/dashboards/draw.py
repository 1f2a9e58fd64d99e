"""Draws what each panel shows, so that somebody looks at it: `python -m tests.dashboards.draw DIRECTORY`.

The simulator plays; in the middle the writer is stopped for a while, and Redis is restarted. It needs prometheus
(`.ci/prometheus-install`), and takes two minutes.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from tests.dashboards.panels import PanelOfFile, all_panels, legend, series
from tests.dashboards.watched_service import Watched, watched_service

PLAY_S = 30.0
STOPPED_S = 8.0
COLUMNS = 3


def main(directory: Path) -> None:
    """Make a picture of each dashboard, with all of its panels."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, watched_service(Path(place)) as watched:
        with watched.playing():
            time.sleep(PLAY_S)
            stopped = watched.service.pid("writer")
            os.kill(stopped, signal.SIGSTOP)
            time.sleep(STOPPED_S)
            os.kill(stopped, signal.SIGCONT)
            time.sleep(PLAY_S)
            watched.service.kill("valkey")
            time.sleep(PLAY_S)
        panels = all_panels()
        for page in sorted({panel.page for panel in panels}):
            _draw(watched, [panel for panel in panels if panel.page == page], directory / f"{page}.png")


def _draw(watched: Watched, panels: list[PanelOfFile], path: Path) -> None:
    rows = -(-len(panels) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(8 * COLUMNS, 3.6 * rows), layout="constrained", squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for panel, axis in zip(panels, axes.flat, strict=False):
        for expression, template in panel.queries():
            for labels, points in series(watched.prometheus, expression, watched.since_s, time.time()):
                times, values = zip(*points, strict=True)
                name = legend(template, labels) or panel.content["title"]
                axis.plot([at - watched.since_s for at in times], values, label=f"{name}: {values[-1]:.4g}")
        defaults = panel.content["fieldConfig"]["defaults"]
        for step in defaults.get("thresholds", {}).get("steps", []):
            if step["value"] is not None and step["value"] < axis.get_ylim()[1]:
                axis.axhline(step["value"], color=step["color"], linestyle="--", linewidth=0.8)
        axis.set_title(f"{panel.number} {panel.content['title']} [{defaults['unit']}]", fontsize=10)
        axis.legend(fontsize=6, loc="upper left", ncols=2)
    figure.savefig(path, dpi=60)
    plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
