"""The header of a script: its contract, parsed, which tests compare with the bindings and with what the script does."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_HEADER_LINE: Final = re.compile(r"^-- ([A-Z]+)\s+(.*)$|^--\s{6,}(.*)$")

OF_EACH: Final = ", of each item"
"""Ends KEYS and RETURNS of a script that is called for several items at a time."""


class Contract(msgspec.Struct, frozen=True):
    """The header of a script, parsed."""

    purpose: str
    keys: tuple[str, ...]
    for_each: bool
    """The keys are those of one item, and so is the reply: there are as many of both as items."""
    argv: tuple[str, ...]
    items: tuple[str, ...]
    writes: tuple[str, ...]
    returns: str
    example: str


def parse_header(name: str, source: str) -> tuple[str, dict[str, str]]:
    """The purpose and the sections of a script or an include.

    `-- name: purpose`, then upper-case sections that may go on, indented, on further lines. Raises ValueError.
    """
    lines = source.split("\n")
    prefix = f"-- {name}: "
    if not lines[0].startswith(prefix):
        raise ValueError(f"{name}.lua must start with '{prefix}'")
    sections: dict[str, str] = {}
    section = ""
    for line in lines[1:]:
        match = _HEADER_LINE.match(line)
        if not line.startswith("--") or "@include" in line:
            break
        if match and match[1]:
            section = match[1]
            sections[section] = match[2]
        elif match and section:
            sections[section] += " " + match[3]
    return lines[0].removeprefix(prefix), sections


def parse_contract(name: str, source: str) -> Contract:
    """The contract in a script's header. Raises ValueError, or KeyError for a section that must be there."""
    purpose, sections = parse_header(name, source)
    for_each = sections["KEYS"].endswith(OF_EACH)
    if for_each:
        sections |= {part: sections[part].removesuffix(OF_EACH) for part in ("KEYS", "RETURNS")}
    words = {part: tuple(sections.get(part, "").split()) for part in ("KEYS", "ARGV", "ITEMS", "WRITES")}
    return Contract(
        purpose=purpose,
        keys=words["KEYS"],
        for_each=for_each,
        argv=words["ARGV"],
        items=words["ITEMS"],
        writes=words["WRITES"],
        returns=sections["RETURNS"],
        example=sections["EXAMPLE"],
    )
