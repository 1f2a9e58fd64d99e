"""Writes the assembled scripts into a directory: `python -m seamless_wallet.engine.expand_scripts DIRECTORY`.

For luacheck, and for reading the line numbers of Redis' error messages.
"""

from __future__ import annotations

import sys
from pathlib import Path

from seamless_wallet.engine.scripts import load_scripts


def expand_scripts(directory: Path) -> None:
    """Write every script as Redis gets it."""
    directory.mkdir(parents=True, exist_ok=True)
    for script in load_scripts().values():
        (directory / f"{script.name}.lua").write_text(script.text, "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m seamless_wallet.engine.expand_scripts DIRECTORY")
    expand_scripts(Path(sys.argv[1]))
