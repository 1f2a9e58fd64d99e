"""What the panels of deploy/grafana/ ask, and what a Prometheus answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.prometheus_server import ROOT, Prometheus

DIRECTORY = ROOT / "deploy" / "grafana"
VARIABLES = {"$__rate_interval": "15s", "$job": "wallet", "$provider": ".+"}
"""What Grafana would put in their place, beside a server that scrapes every three seconds."""

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class PanelOfFile:
    """One panel of a committed dashboard."""

    page: str
    content: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.page}: {self.content['title']}"

    @property
    def number(self) -> int:
        """By which a link shows it."""
        return int(self.content["id"])

    @property
    def alerts(self) -> list[str]:
        """Those of its links to the runbook."""
        return [link["title"].removeprefix("Runbook: ") for link in self.content.get("links", [])]

    def queries(self) -> Iterator[tuple[str, str]]:
        """Each expression as Grafana would send it, and the legend."""
        for target in self.content["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield expression, target["legendFormat"]


def all_panels() -> list[PanelOfFile]:
    """Every panel of every dashboard."""
    return [
        PanelOfFile(path.stem, panel)
        for path in sorted(DIRECTORY.glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
    ]


def series(prometheus: Prometheus, expression: str, from_s: float, to_s: float) -> list[tuple[dict[str, str], Points]]:
    """Labels and points of each series that an expression gives, without those that are no numbers."""
    found = prometheus.ask("query_range", query=expression, start=str(from_s), end=str(to_s), step="1")["result"]
    read = [
        (each["metric"], [(at, float(text)) for at, text in each["values"] if math.isfinite(float(text))])
        for each in found
    ]
    return [(labels, points) for labels, points in read if points]


def legend(template: str, labels: dict[str, str]) -> str:
    """As Grafana writes it."""
    for name, value in labels.items():
        template = template.replace(f"{{{{{name}}}}}", value)
    return template
