"""Panels and whole dashboards, alike: a job to choose, units, thresholds, links from a panel to the runbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
)

GRAPH_WIDTH: Final = 8
GRAPH_HEIGHT: Final = 8
STAT_WIDTH: Final = 4
STAT_HEIGHT: Final = 4
ROW_WIDTH: Final = 24

RUNBOOK: Final = "https://wallet.example/docs/runbook.md"
"""Where the runbook is; a variable of each dashboard, which its user sets."""

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, ORANGE, RED = "green", "orange", "red"

P = TypeVar("P", timeseries.Panel, stat.Panel)

Query = tuple[str, str]
"""An expression, and the legend of its series."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel. Its number within the dashboard is its place in the list, from 1 on: alerts link there.

    `limits` are the values from which it is orange and red; those in `falling` are to be undershot instead.
    """

    title: str
    queries: Sequence[Query]
    unit: str
    text: str
    limits: tuple[float, ...] = ()
    falling: bool = False
    alerts: Sequence[str] = ()
    stacked: bool = False
    signed: bool = False
    words: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A value → the word and the colour in its place."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One dashboard: numbers at the top, graphs below."""

    uid: str
    title: str
    stats: Sequence[Panel]
    graphs: Sequence[Panel]
    by_provider: bool = False


def built(page: Page) -> dashboard.Dashboard:
    """The dashboard of a page."""
    made = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .tags(["wallet"])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Wallet").type(DashboardLinkType.DASHBOARDS).tags(["wallet"]).keep_time(True))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_choice("job", "label_values(wallet_build_info, job)"))
        .with_variable(dashboard.ConstantVariable("runbook").value(RUNBOOK))
    )
    if page.by_provider:
        providers = _choice("provider", 'label_values(wallet_webhook_requests_total{job="$job"}, provider)')
        made.with_variable(providers.multi(True).include_all(True).all_value(".+"))
    number = 0
    for panels, width, height, top in (
        (page.stats, STAT_WIDTH, STAT_HEIGHT, 0),
        (page.graphs, GRAPH_WIDTH, GRAPH_HEIGHT, STAT_HEIGHT),
    ):
        for index, panel in enumerate(panels):
            number += 1
            row, column = divmod(index, ROW_WIDTH // width)
            place = GridPos(h=height, w=width, x=column * width, y=top + row * height)
            each = _stat(panel) if panels is page.stats else _graph(panel)
            made.with_panel(each.id(number).grid_pos(place))
    return made


def _choice(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _graph(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(20 if panel.stacked else 5)
        .show_points(models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(models.LegendDisplayMode.TABLE)
            .placement(models.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI).sort(models.SortOrder.DESCENDING))
    )
    if not panel.signed:
        made.min(0)
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(models.StackingMode.NORMAL).group("A"))
    if panel.limits:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(models.GraphThresholdsStyleMode.DASHED))
    return _common(made, panel)


def _stat(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(models.BigValueColorMode.BACKGROUND if panel.limits else models.BigValueColorMode.VALUE)
        .graph_mode(models.BigValueGraphMode.AREA)
    )
    if panel.words:
        options = {value: ValueMappingResult(text=text, color=color) for value, (text, color) in panel.words.items()}
        made.mappings([ValueMap(options=options)])
    return _common(made, panel)


def _common(made: P, panel: Panel) -> P:
    """What both kinds have."""
    made.title(panel.title).description(panel.text).unit(panel.unit).datasource(SOURCE)
    made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(_steps(panel)))
    if panel.alerts:
        made.links(
            [
                dashboard.DashboardLink(f"Runbook: {alert}")
                .type(DashboardLinkType.LINK)
                .url(f"${{runbook}}#{alert.lower()}")
                .target_blank(True)
                for alert in panel.alerts
            ]
        )
    for index, (expression, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + index))
        made.with_target(query.datasource(SOURCE))
    return made


def _steps(panel: Panel) -> list[Threshold]:
    colors = [GREEN, ORANGE, RED] if len(panel.limits) > 1 else [GREEN, RED]
    if panel.falling:
        colors.reverse()
    return [Threshold(value=value, color=color) for value, color in zip([None, *panel.limits], colors, strict=False)]
