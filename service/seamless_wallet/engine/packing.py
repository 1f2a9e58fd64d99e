"""Commands as they go on the wire."""

from __future__ import annotations

from hiredis import pack_command


def packed(*words: bytes | str | int) -> bytes:
    """A command of Redis, in its protocol."""
    command: bytes = pack_command(words)  # type: ignore[arg-type]  # its stub says one argument
    return command
