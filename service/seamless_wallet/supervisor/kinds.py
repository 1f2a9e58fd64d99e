"""The kinds of children. A kind is a label in metrics, and the beginning of its children's names."""

from __future__ import annotations

from typing import Final

VALKEY: Final = "valkey"
WRITER: Final = "writer"
WORKER: Final = "worker"
ADMIN: Final = "admin"
KINDS: Final = (VALKEY, WRITER, WORKER, ADMIN)
