"""Imports structlog without rich. Import this before any module that imports structlog.

structlog imports rich where it is installed, for tracebacks on a terminal. Here rich is installed for the tables of
commands. A process of the service prints neither, and logs JSON: so rich would only cost it time and memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Within the block, an import of this package fails; afterwards it works again."""
    if name in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules
    modules[name] = None  # this is how `import` is told that there is no such module
    try:
        yield
    finally:
        del modules[name]


with _hidden("rich"):
    import structlog

__all__ = ["structlog"]
