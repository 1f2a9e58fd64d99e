"""The ledger entry: one event, its decision, and the chain that holds a shard's entries together."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec

from seamless_wallet.commands import BACK_OFFICE, BET_KINDS, Command, event_digest, fingerprint, round_digest
from seamless_wallet.ledger.payload import decode_payload

CHAIN_BYTES: Final = 16
"""Of a link of the chain."""

CHAIN_START: Final = bytes(CHAIN_BYTES)
"""What the first entry of a shard is chained to."""

CASH: Final = "cash"
"""The account against which deposits and withdrawals are booked."""


INVALID_ENTRY_ERRORS: Final = (ValueError, ArithmeticError, RecursionError, msgspec.MsgspecError)
"""What may be raised by reading an entry that is not valid."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What Lua decided. Minor units, after the entry; the deltas are what this entry moved.

    `effects` has one letter an item: `+` it had an effect, `-` it had none, `t` it left a tombstone.
    """

    version: int
    balance: int
    debt: int
    balance_delta: int
    debt_delta: int
    effects: str

    def text(self) -> str:
        """As Lua writes it."""
        return f"{self.version} {self.balance} {self.debt} {self.balance_delta} {self.debt_delta} {self.effects}"


def parse_decision(text: bytes) -> Decision:
    """The inverse of `Decision.text`. Raises ValueError for anything else."""
    version, balance, debt, balance_delta, debt_delta, effects = text.decode("ascii").split(" ")
    return Decision(int(version), int(balance), int(debt), int(balance_delta), int(debt_delta), effects)


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One leg of the double entry. The legs of an entry sum to zero."""

    account: str
    amount: int


class Entry:
    """One entry of a shard's ledger, from Redis or from SQL: the bytes as they are, and what they say.

    `command` and `decision` are read when they are first asked for, once. `command` raises UnknownPayloadVersion, or
    msgspec.MsgspecError if the payload is none; `decision` raises ValueError if it is none. So does what rests on them:
    `round_digest`, the identity of the round, None for events that have none.
    """

    command: Command
    decision: Decision
    round_digest: bytes | None

    __slots__ = (
        "before",
        "command",
        "decided",
        "decision",
        "epoch",
        "payload",
        "provider",
        "round_digest",
        "seq",
        "shard",
        "token",
        "user_id",
        "void",
    )

    def __init__(
        self,
        shard: int,
        epoch: int,
        seq: int,
        user_id: str,
        provider: str,
        payload: bytes,
        decided: bytes,
        token: str = "",
        before: str = "",
    ) -> None:
        self.shard = shard
        self.epoch = epoch
        self.seq = seq
        self.user_id = user_id
        self.provider = provider
        self.payload = payload
        self.decided = decided
        self.token = token  # the attempt that waits for the commit; not part of the ledger
        self.before = before  # the token of the entry before, by which the commit knows that it follows
        self.void = ""  # why it moves nothing and counts for nothing; "" for almost every entry

    def __getattr__(self, name: str) -> Any:
        """Only asked for a slot that is still empty. What is read is kept there, where it costs nothing to ask for."""
        if name == "command":
            self.command = decode_payload(self.payload, self.user_id, self.provider)
            return self.command
        if name == "decision":
            self.decision = parse_decision(self.decided)
            return self.decision
        if name == "round_digest":
            command = self.command
            self.round_digest = round_digest(command) if command.kind in BET_KINDS else None
            return self.round_digest
        raise AttributeError(name)

    @property
    def event_digest(self) -> bytes:
        """Identity of the event."""
        return event_digest(self.command)

    @property
    def fingerprint(self) -> bytes:
        """Content of the event."""
        return fingerprint(self.command)

    @property
    def counterparty(self) -> str:
        """The account on the other side: `cash`, or `house:<provider>`."""
        return counterparty_of(self.provider)

    def legs(self) -> tuple[Leg, Leg, Leg]:
        """Player, debt and counterparty. A debt is what the player owes: its account is negative."""
        decision = self.decision
        other = decision.debt_delta - decision.balance_delta
        return (
            Leg("player", decision.balance_delta),
            Leg("debt", -decision.debt_delta),
            Leg(self.counterparty, other),
        )

    def chained_to(self, previous: bytes) -> bytes:
        """The link over this entry's bytes and the previous entry's link. Tampering with either changes it.

        Player and provider are covered as text: no store has to number them as another one does.
        """
        user_id = self.user_id.encode("utf-8", "surrogatepass")
        provider = self.provider.encode("utf-8", "surrogatepass")
        place = f"{self.shard} {self.epoch} {self.seq} {len(user_id)} {len(provider)} {len(self.payload)} "
        if self.void:
            place = f"void {self.void} {place}"
        hashed = b"".join((previous, place.encode(), user_id, provider, self.payload, self.decided))
        return blake2b(hashed, digest_size=CHAIN_BYTES).digest()


def payload_fingerprint(payload: bytes) -> bytes:
    """What an event says, by its payload alone: neither the player nor the provider takes part.

    Raises UnknownPayloadVersion, or msgspec.MsgspecError if the bytes are no payload.
    """
    return fingerprint(decode_payload(payload, "", ""))


def counterparty_of(provider: str) -> str:
    """The account against which the events of a provider, or of the back office, are booked."""
    return CASH if provider == BACK_OFFICE else f"house:{provider}"
