"""Writes deploy/grafana/: `python -m deploy.dashboards`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.dashboards import ledger, overview, redis, wallet
from deploy.dashboards.panels import Page, built

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "grafana"
PAGES: Final = (overview.PAGE, wallet.PAGE, redis.PAGE, ledger.PAGE)


OF_INTERVALS: Final = frozenset({"auto", "auto_count", "auto_min"})
"""Fields that the SDK writes into every variable, and that Grafana has only in variables of intervals."""


def texts() -> dict[str, str]:
    """The name of each file → its text."""
    return {f"{page.uid}.json": _text(page) for page in PAGES}


def _text(page: Page) -> str:
    content = json.loads(JSONEncoder().encode(built(page).build()))
    for variable in content["templating"]["list"]:
        for name in OF_INTERVALS & variable.keys():
            del variable[name]
    return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in texts().items():
        (DIRECTORY / name).write_text(text)
