"""A history as text: one action a line, in JSON. What a machine did, and what is kept of it when it found something.

Names are short and times relative, so that a history reads as a story and can be replayed at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from seamless_wallet.commands import BACK_OFFICE, BET_KINDS, Command, Item, Kind, Policy

DIRECTORY = Path(__file__).parent / "histories"
FAILED = Path(__file__).parents[2] / "build" / "histories"

SESSION_MS = 30 * 60_000
POLICIES = {
    "games": Policy(session_ms=SESSION_MS),
    "slots": Policy(session_required=False, cancel_unknown="r3", change_overdraw="reject", bet_age_max_ms=5_000),
    BACK_OFFICE: Policy(),
}
"""Each provider's; between them they have every setting of both kinds."""


class Send(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="send"):
    """One command. Items: bet_index, amount, winloss, winloss before.

    `at`: its timestamp, ms after our clock. `slow`: by how much the clock of the worker it comes to is behind ours, ms.
    """

    kind: Kind
    user: str
    tid: str
    provider: str = BACK_OFFICE
    at: int = 0
    currency: str = ""
    game: str = ""
    items: tuple[tuple[str, int, int, int], ...] = ()
    amount: int = 0
    status: str = ""
    worker: int = 0
    slow: int = 0

    def command(self, user_id: str, now_ms: int) -> Command:
        """As the wallet gets it."""
        items = tuple(Item(index, "player", amount, won, before) for index, amount, won, before in self.items)
        return Command(
            kind=self.kind,
            provider=self.provider,
            user_id=user_id,
            transaction_id=self.tid,
            timestamp_ms=max(0, now_ms + self.at),
            received_ms=now_ms - self.slow,
            currency=self.currency,
            game_no=self.game if self.kind in BET_KINDS else "",
            items=items,
            amount=self.amount,
            status=self.status,
        )


class Pass(msgspec.Struct, frozen=True, tag_field="do", tag="pass"):
    """Our clock goes on; Redis forgets what it would have forgotten by then."""

    ms: int


class Disaster(msgspec.Struct, frozen=True, tag_field="do", tag="disaster"):
    """Of those that the stage knows by this name."""

    what: str


Action = Send | Pass | Disaster

_decode = msgspec.json.Decoder(Action).decode
_encode = msgspec.json.Encoder().encode


def write(path: Path, actions: Sequence[Action]) -> None:
    """Keep a history."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(_encode(action) + b"\n" for action in actions))


def saved() -> list[str]:
    """Names of all that are worth playing every time."""
    return sorted(path.stem for path in DIRECTORY.glob("*.jsonl"))


def find(name: str) -> Path:
    """The file of a history that is saved, or has just failed, by its name; or of that path."""
    places = (Path(name), FAILED / f"{name}.jsonl", DIRECTORY / f"{name}.jsonl")
    for path in places:
        if path.is_file():
            return path
    raise FileNotFoundError(f"no history at any of {', '.join(map(str, places))}")


def load(name: str) -> list[Action]:
    """One of them."""
    return [_decode(line) for line in find(name).read_bytes().splitlines() if line]
