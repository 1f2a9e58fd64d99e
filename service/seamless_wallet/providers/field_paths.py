"""Where in a request something is wrong, and what: names of our own schema and positions, never what stood there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import msgspec

# Parts of msgspec's messages. The middle of one may repeat what the provider wrote: only its begin and end are matched.
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_AT: Final = re.compile(r" - at `\$\.?([\w.\[\]]*)`\Z")
_TYPES: Final = re.compile(r"Expected `(\w+)[^`]*`, got `(\w+)`")
_IN_JSON: Final = {
    "array": "an array",
    "bool": "true or false",
    "float": "a fraction",
    "int": "an integer",
    "object": "an object",
    "str": "a string",
}
_BYTE: Final = re.compile(r" \(byte ([0-9]+)\)\Z")


def path_of(error: msgspec.ValidationError) -> str:
    """The field that is missing or of a wrong type, such as `data.bets[3].bet_amount`. Empty if it is the whole text.

    msgspec names fields of the schema only: unknown ones have no type that could be wrong.
    """
    said = str(error)
    missing, at = _MISSING.match(said), _AT.search(said)
    return ".".join(part for part in (at and at[1], missing and missing[1]) if part)


def problem_of(error: msgspec.ValidationError) -> str:
    """What is wrong with that field: "is missing", or what it should be."""
    said = str(error)
    if _MISSING.match(said):
        return "is missing"
    types = _TYPES.match(said)
    if types is None:
        return "has a value that it cannot have"
    should_be, is_now = (_IN_JSON.get(name, name) for name in types.groups())
    return f"should be {should_be}, and is {is_now}"


def json_problem(error: Exception) -> str:
    """Why a text is no JSON that can be read."""
    if isinstance(error, UnicodeDecodeError):
        return "is no UTF-8"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return "is where it stops to be JSON" if position_of(error) else "is no JSON"


def position_of(error: Exception) -> str:
    """Where a text stops to be JSON, such as `byte 290`. Empty if the error does not tell."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}"
    found = _BYTE.search(str(error))
    return f"byte {found[1]}" if found else ""
