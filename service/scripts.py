"""The Lua scripts and their typed bindings: one NamedTuple for the arguments of each, in the order of ARGV.

A script's text is assembled from `lua/<name>.lua` and the includes that it names with `-- @include`; its SHA-1 is
its identity, so two deployed versions live side by side. Workers never load scripts: they register the texts in
SQL and the lease-holder loads them (a load on NOSCRIPT would bring a wiped Redis back to life behind its back).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

_INCLUDE: Final = re.compile(r"^-- @include (\w+)\n", re.MULTILINE)
_HEADER_LINE: Final = re.compile(r"^-- ([A-Z]+)\s+(.*)$|^--\s{6,}(.*)$")


class Outcome(StrEnum):
    """The first word of a script's reply."""

    DONE = "DONE"  # decided and written; not committed yet
    DUP = "DUP"  # this event was decided before
    CONFLICT = "CONFLICT"  # this transaction_id said something else before
    DECLINED = "DECLINED"
    BUSY = "BUSY"  # too many entries are waiting for the writer
    FENCED = "FENCED"  # the caller's epoch or period is not the current one
    MISS = "MISS"  # the wallet has to be loaded first
    COLD = "COLD"  # the bets have to be looked up in SQL first
    EXISTS = "EXISTS"  # the wallet is there already
    OK = "OK"
    STALE = "STALE"  # the gate was opened for a newer epoch
    FOREIGN = "FOREIGN"  # this Redis belongs to another ledger


class Verdict(msgspec.Struct, frozen=True):
    """A decision of a script. `rests_on` is the seq that must be committed before it may be told."""

    outcome: Outcome
    code: str
    reason: str
    currency: str
    balance: int
    debt: int
    rests_on: int
    committed: int


class EventArgs(NamedTuple):
    """ARGV of every event script, before its own."""

    epoch: int
    period: int
    digest: bytes
    fingerprint: bytes
    payload: bytes
    token: str
    pending_max: int
    window_ms: int
    now_ms: int
    timestamp_ms: int
    provider: str
    currency: str
    snapshot_seq: int | str


class BetArgs(NamedTuple):
    """ARGV of `bet` after the common ones."""

    session_required: int
    session_ms: int
    session_grace_ms: int


class CancelArgs(NamedTuple):
    """ARGV of `cancel` after the common ones."""

    unknown: str


class ChangeArgs(NamedTuple):
    """ARGV of `change` after the common ones."""

    overdraw: str
    changes_max: int
    change_tolerance_ms: int


class TransferArgs(NamedTuple):
    """ARGV of `transfer` after the common ones; the amount in minor units."""

    direction: str
    amount: int


class StatusArgs(NamedTuple):
    """ARGV of `status` after the common ones."""

    status: str


class AmountItem(NamedTuple):
    """One item of `bet` and `cancel`."""

    bet_index: str
    amount: int
    cold: str


class ResultItem(NamedTuple):
    """One item of `result`."""

    bet_index: str
    amount: int
    winloss: int
    cold: str


class ChangeItem(NamedTuple):
    """One item of `change`."""

    bet_index: str
    amount: int
    winloss: int
    winloss_before: int
    cold: str


class InstallArgs(NamedTuple):
    """ARGV of `install`, before its fields and values."""

    epoch: int
    period: int


class InstallEventsArgs(NamedTuple):
    """ARGV of `install_events`, before its digests and records."""

    epoch: int
    period: int
    window_ms: int


class InstallRoundArgs(NamedTuple):
    """ARGV of `install_round`, before its bet indexes and bets."""

    epoch: int
    period: int
    window_ms: int
    open_bets: int


class GateArgs(NamedTuple):
    """ARGV of `gate`."""

    epoch: int
    seq: int
    ledger_uuid: str
    now_ms: int


class ConfirmArgs(NamedTuple):
    """ARGV of `confirm`; `tail` is the number of committed entries that stay in the stream."""

    epoch: int
    seq: int
    tail: int
    now_ms: int
    window_ms: int


Argument = bytes | str | int
"""What a command to Redis is made of."""


class Contract(msgspec.Struct, frozen=True):
    """The header of a script, parsed: what a test compares with the bindings and with what the script does."""

    purpose: str
    keys: tuple[str, ...]
    argv: tuple[str, ...]
    items: tuple[str, ...]
    writes: tuple[str, ...]
    returns: str
    example: str


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
    inside = Path(__file__).parent / "lua"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "lua"


@cache
def load_scripts() -> dict[str, Script]:
    """All scripts by name, assembled."""
    directory = lua_directory()
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


def parse_contract(name: str, source: str) -> Contract:
    """Read the header: `-- name: purpose`, then upper-case sections that may go on, indented, on further lines."""
    lines = source.split("\n")
    prefix = f"-- {name}: "
    if not lines[0].startswith(prefix):
        raise ValueError(f"lua/{name}.lua must start with '{prefix}'")
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
    words = {part: tuple(sections.get(part, "").split()) for part in ("KEYS", "ARGV", "ITEMS", "WRITES")}
    return Contract(
        purpose=lines[0].removeprefix(prefix),
        keys=words["KEYS"],
        argv=words["ARGV"],
        items=words["ITEMS"],
        writes=words["WRITES"],
        returns=sections["RETURNS"],
        example=sections["EXAMPLE"],
    )


def parse_verdict(reply: list[Any]) -> Verdict:
    """An eight-part reply of an event script."""
    outcome, code, reason, currency, balance, debt, rests_on, committed = reply
    return Verdict(
        Outcome(outcome.decode()),
        code.decode(),
        reason.decode(),
        currency.decode(),
        int(balance),
        int(debt),
        int(rests_on),
        int(committed),
    )


def expand_to(directory: Path) -> None:
    """Write the assembled scripts, for luacheck and for reading the line numbers of error messages."""
    directory.mkdir(parents=True, exist_ok=True)
    for script in load_scripts().values():
        (directory / f"{script.name}.lua").write_text(script.text, "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--expand"] or len(sys.argv) != 3:
        sys.exit("usage: python -m service.scripts --expand DIRECTORY")
    expand_to(Path(sys.argv[2]))
