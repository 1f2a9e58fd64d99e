"""The cases, one module a subject. Each reads like the rows that it plays."""

from importlib import import_module
from typing import Final

SUBJECTS: Final = (
    "players",
    "bets",
    "cancels",
    "results",
    "changes",
    "repeats",
    "identity",
    "ids",
    "envelope",
    "bodies",
    "schema",
    "batches",
    "amounts",
    "sessions",
    "blocked",
    "debt",
    "concurrency",
)
"""In the order in which a report has them."""

for _subject in SUBJECTS:
    import_module(f"{__name__}.{_subject}")
