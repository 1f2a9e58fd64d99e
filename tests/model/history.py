"""A history as text: one action a line, in JSON. What a machine did, and what is kept of it when it found something.

Names are short and times relative, so that a history reads as a story and can be replayed at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from service.commands import BACK_OFFICE, BET_KINDS, Command, Item, Kind, Policy

DIRECTORY = Path(__file__).parent / "histories"

SESSION_MS = 30 * 60_000
POLICIES = {
    "games": Policy(session_ms=SESSION_MS),
    "slots": Policy(session_required=False, cancel_unknown="r3", change_overdraw="reject"),
    BACK_OFFICE: Policy(),
}
"""Each provider's; between them they have every setting of both kinds."""


class Send(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="do", tag="send"):
    """One command. `at`: its timestamp, ms after our clock. Items: bet_index, amount, winloss, winloss before."""

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

    def command(self, user_id: str, now_ms: int) -> Command:
        """As the wallet gets it."""
        items = tuple(Item(index, "player", amount, won, before) for index, amount, won, before in self.items)
        return Command(
            kind=self.kind,
            provider=self.provider,
            user_id=user_id,
            transaction_id=self.tid,
            timestamp_ms=max(0, now_ms + self.at),
            received_ms=now_ms,
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
    """`wipe` Redis, `restart` Redis, restart the `writer`, `forget` the player's finished rounds, as time would."""

    what: str


Action = Send | Pass | Disaster

_decode = msgspec.json.Decoder(Action).decode
_encode = msgspec.json.Encoder().encode


def save(name: str, actions: Sequence[Action]) -> None:
    """Under tests/model/histories."""
    DIRECTORY.mkdir(exist_ok=True)
    (DIRECTORY / f"{name}.jsonl").write_bytes(b"".join(_encode(action) + b"\n" for action in actions))


def saved() -> list[str]:
    """Names of all that were kept."""
    return sorted(path.stem for path in DIRECTORY.glob("*.jsonl"))


def load(name: str) -> list[Action]:
    """One of them."""
    return [_decode(line) for line in (DIRECTORY / f"{name}.jsonl").read_bytes().splitlines() if line]
