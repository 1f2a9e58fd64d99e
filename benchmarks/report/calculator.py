"""A form in the report: how many processes a rate needs, from the costs of the run, as `scaling.py` counts them."""

from __future__ import annotations

import json
from typing import Final

from benchmarks.figures import Run
from benchmarks.scaling import LEDGER_BYTES, LOADED, RATES, SECONDS_A_DAY, costs

_SCRIPT: Final = """\
const costs = %(costs)s, form = document.getElementById("scaling");
function field(name, label, value) {
  const row = document.createElement("label");
  row.textContent = label + " ";
  const input = document.createElement("input");
  Object.assign(input, {type: "number", name, value, step: "any", min: 0});
  row.append(input);
  form.append(row);
}
field("rate", "webhooks/s", %(rate)d);
field("loaded", "how busy a core may be", %(loaded)s);
field("skew", "fullest node, times its share", 1.3);
for (const role in costs) field(role, role + ", CPU in µs a webhook", costs[role].toFixed(0));
const out = document.createElement("output");
form.append(out);
function calculate() {
  const value = name => Number(form.elements[name].value);
  const parts = Object.keys(costs).map(role => {
    const skew = role === "worker" ? 1 : value("skew");
    const count = Math.ceil(value("rate") * value(role) / 1e6 / value("loaded") * skew);
    const one = Math.floor(value("loaded") * 1e6 / value(role));
    return `${count} × ${role} (one takes ${one.toLocaleString("en")}/s)`;
  });
  const day = value("rate") * %(bytes)d * %(day)d / 1e9;
  out.textContent = parts.join(", ") + `; the ledger grows by ${day.toFixed(0)} GB a day`;
}
form.addEventListener("input", calculate);
calculate();
"""


def calculator(run: Run) -> str:
    """The form and its script."""
    filled = _SCRIPT % {
        "costs": json.dumps(costs(run)),
        "rate": RATES[0],
        "loaded": LOADED,
        "bytes": LEDGER_BYTES,
        "day": SECONDS_A_DAY,
    }
    return f"<form id=scaling></form><script>{filled}</script>"
