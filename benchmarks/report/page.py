"""The report as one HTML file that needs nothing else: no server, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.budget import Row
from benchmarks.figures import Run
from benchmarks.report.calculator import calculator
from benchmarks.report.plots import plots
from benchmarks.report.terminal import WORDS, conditions, tables

STYLE: Final = """\
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e3e3e3; vertical-align: top }
.words { text-align: left }
th { border-bottom: 2px solid #999; font-weight: 600 }
.met { color: #1a7f37 } .missed { color: #b35900; font-weight: 600 }
p.note { color: #555 }
form label { display: inline-block; margin: 0 1.2rem .5rem 0 } form input { width: 6rem; font: inherit }
form output { display: block; margin-top: .5rem; font-weight: 600 }
"""


def page(run: Run, rows: Sequence[Row]) -> str:
    """The whole file."""
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Benchmarks of the wallet</title>",
        f"<style>{STYLE}</style></head><body><h1>Benchmarks of the wallet</h1>",
        f"<p>{escape(run.started)}, {len(run.passes)} pass(es).</p><p class=note>{escape(conditions(run))}</p>",
    ]
    for title, columns, lines in tables(run, rows):
        parts += [f"<h2>{escape(title)}</h2>", _table(columns, lines)]
    for number, figure in enumerate(plots(run)):
        # The first one brings the library, so that the file needs no network.
        parts.append(figure.to_html(full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False}))
    parts += ["<h2>How many of everything a rate needs: docs/scaling.md</h2>", calculator(run), "</body></html>"]
    return "\n".join(parts)


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head = "".join(_cell("th", column, column) for column in columns)
    body = "".join(
        "<tr>" + "".join(_cell("td", column, text) for column, text in zip(columns, line, strict=True)) + "</tr>"
        for line in lines
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, column: str, text: str) -> str:
    kind = "words" if column in WORDS else text if text in {"met", "missed"} else ""
    return f"<{tag} class='{kind}'>{escape(text)}</{tag}>"
