"""The ledger entry: one event, its decision, and the chain that holds a shard's entries together."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from typing import Final

import msgspec

from seamless_wallet.commands import BACK_OFFICE, BET_KINDS, Command, event_digest, fingerprint, round_digest

CHAIN_START: Final = bytes(16)
"""What the first entry of a shard is chained to."""

CASH: Final = "cash"
"""The account against which deposits and withdrawals are booked."""

_decode_command = msgspec.json.Decoder(Command).decode
_encode_command = msgspec.json.Encoder().encode


class Decision(msgspec.Struct, frozen=True):
    """What Lua decided. Minor units, after the entry; the deltas are what this entry moved.

    `effects` has one letter an item: `+` it had an effect, `-` it had none, `t` it left a tombstone.
    """

    version: int
    balance: int
    debt: int
    balance_delta: int
    debt_delta: int
    effects: str


class Leg(msgspec.Struct, frozen=True):
    """One leg of the double entry. The legs of an entry sum to zero."""

    account: str
    amount: int


class Entry:
    """One entry of a shard's ledger, from Redis or from SQL: the bytes as they are, and what they say."""

    def __init__(
        self, shard: int, epoch: int, seq: int, payload: bytes, decided: bytes, token: str = "", before: str = ""
    ) -> None:
        self.shard = shard
        self.epoch = epoch
        self.seq = seq
        self.payload = payload
        self.decided = decided
        self.token = token  # the attempt that waits for the commit; not part of the ledger
        self.before = before  # the token of the entry before, by which the commit knows that it follows

    @cached_property
    def command(self) -> Command:
        """The event. Raises msgspec.MsgspecError if the payload is not one."""
        return _decode_command(self.payload)

    @cached_property
    def decision(self) -> Decision:
        """The decision. Raises ValueError if it is not one."""
        version, balance, debt, balance_delta, debt_delta, effects = self.decided.decode("ascii").split(" ")
        return Decision(int(version), int(balance), int(debt), int(balance_delta), int(debt_delta), effects)

    @cached_property
    def event_digest(self) -> bytes:
        """Identity of the event."""
        return event_digest(self.command)

    @cached_property
    def fingerprint(self) -> bytes:
        """Content of the event."""
        return fingerprint(self.command)

    @cached_property
    def round_digest(self) -> bytes | None:
        """Identity of the round, for events that have one."""
        return round_digest(self.command) if self.command.kind in BET_KINDS else None

    @property
    def counterparty(self) -> str:
        """The account on the other side: `cash`, or `house:<provider>`."""
        provider = self.command.provider
        return CASH if provider == BACK_OFFICE else f"house:{provider}"

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
        """The link over this entry's bytes and the previous entry's link. Tampering with either changes it."""
        hashed = blake2b(previous, digest_size=16)
        hashed.update(f"{self.shard} {self.epoch} {self.seq} {len(self.payload)} ".encode())
        hashed.update(self.payload)
        hashed.update(self.decided)
        return hashed.digest()


def encode_payload(command: Command) -> bytes:
    """The command as it stands in the ledger."""
    return _encode_command(command)
