"""The Lua scripts: assembled from `lua/`, and identified by their SHA-1.

A script's text is assembled from `lua/<name>.lua` and the includes that it names with `-- @include`. Its SHA-1 is
its identity, so two deployed versions live side by side. Workers never load scripts: they register the texts in
SQL and the writer loads them (a load on NOSCRIPT would bring a wiped Redis back to life behind its back).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Final

import msgspec

from seamless_wallet.engine.script_header import Contract, parse_contract

_INCLUDE: Final = re.compile(r"^ *-- @include (\w+)\n", re.MULTILINE)

Argument = bytes | str | int
"""What a command to Redis is made of."""


class Script(msgspec.Struct, frozen=True):
    """An assembled script."""

    name: str
    text: str
    sha: str
    contract: Contract

    def command(self, keys: Sequence[str], argv: Iterable[Argument]) -> tuple[Argument, ...]:
        """The EVALSHA for these keys and arguments."""
        return ("EVALSHA", self.sha, len(keys), *keys, *argv)


def lua_directory() -> Path:
    """Where the scripts are: in the wheel beside this module, in a checkout at the root of the repository."""
    package = Path(__file__).parents[1]
    shipped = package / "lua"
    return shipped if shipped.is_dir() else package.parents[1] / "lua"


@cache
def load_scripts() -> dict[str, Script]:
    """All scripts by name, assembled."""
    return read_scripts(lua_directory())


def read_scripts(directory: Path) -> dict[str, Script]:
    """The scripts of a `lua/` directory by name, assembled."""
    return {path.stem: _assemble(path.stem, directory) for path in sorted(directory.glob("*.lua"))}


def _assemble(name: str, directory: Path) -> Script:
    included: set[str] = set()

    def expand(match: re.Match[str]) -> str:
        include = match[1]
        if include in included:
            raise ValueError(f"lua/{name}.lua includes {include} twice")
        included.add(include)
        return _INCLUDE.sub(expand, (directory / "include" / f"{include}.lua").read_text("utf-8"))

    source = (directory / f"{name}.lua").read_text("utf-8")
    text = _INCLUDE.sub(expand, source)
    return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest(), parse_contract(name, source))
