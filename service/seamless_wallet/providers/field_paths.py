"""Where in a request something is wrong, for the log: names of our own schema and positions, never what stood there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import msgspec

# Parts of msgspec's messages. The middle of one may repeat what the provider wrote: only its begin and end are matched.
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_AT: Final = re.compile(r" - at `\$\.?([\w.\[\]]*)`\Z")
_BYTE: Final = re.compile(r" \(byte ([0-9]+)\)\Z")


def path_of(error: msgspec.ValidationError) -> str:
    """The field that is missing or of a wrong type, such as `data.bets[3].bet_amount`. Empty if it is the whole text.

    msgspec names fields of the schema only: unknown ones have no type that could be wrong.
    """
    said = str(error)
    missing, at = _MISSING.match(said), _AT.search(said)
    return ".".join(part for part in (at and at[1], missing and missing[1]) if part)


def position_of(error: Exception) -> str:
    """Where a text stops to be JSON, such as `byte 290`. Empty if the error does not tell."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}"
    found = _BYTE.search(str(error))
    return f"byte {found[1]}" if found else ""
