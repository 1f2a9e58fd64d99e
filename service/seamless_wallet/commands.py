"""What may be asked of the wallet, and what it may answer.

Pure values, without I/O: a provider profile, the back office or the simulator makes a `Command`; the
wallet answers with an `Answer`. Every amount is an integer number of minor units of the player's currency.
"""

from __future__ import annotations

from binascii import crc32
from enum import StrEnum
from hashlib import blake2b
from operator import attrgetter
from typing import Final

import msgspec

from seamless_wallet.provider_choices import CancelUnknownRule, ChangeOverdrawRule

BACK_OFFICE: Final = "@back-office"
"""The provider name under which the operator's own movements are kept. A configured provider cannot have it:
their names match `provider_choices.PROVIDER_NAME`."""

ID_CHARS_MAX: Final = 128
"""Characters of a user_id, transaction_id, game_no or bet_index, and of an Idempotency-Key; at least one."""

ITEMS_MAX: Final = 500
"""Bets in one batch; at least one."""

CHANGES_MAX: Final = 64
"""Result changes that one bet may see (SEMANTICS, Result change)."""

CHANGE_TOLERANCE_MS: Final = 5_000
"""How much older than the last applied change a result change may be (SEMANTICS row 61)."""

FUTURE_MAX_MS: Final = 5 * 60 * 1000
"""How far ahead of our clock a timestamp may be. One further ahead is as doubtful as an old one (SEMANTICS row 8), and
a login counts as no further ahead (row 24)."""

DIGEST_BYTES: Final = 16


class Kind(StrEnum):
    """One kind of command is one Lua script's job. The values stand in the ledger: never rename one."""

    LOGIN = "login"
    LOGOUT = "logout"
    BET = "bet"
    CANCEL = "cancel"
    RESULT = "result"
    CHANGE = "change"
    CREATE = "create"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    STATUS = "status"


BET_KINDS: Final = frozenset({Kind.BET, Kind.CANCEL, Kind.RESULT, Kind.CHANGE})
"""Commands that carry a currency, a round and items."""


class Code(StrEnum):
    """The provider's answer codes."""

    R0 = "R0"  # processed, and committed in the ledger
    R1 = "R1"  # failed: a transient fault, or a policy says no; a retry may succeed
    R2 = "R2"  # unauthorized
    R3 = "R3"  # validation failed: can never succeed as sent
    R4 = "R4"  # not enough balance


class PlayerStatus(StrEnum):
    """Whether a player may log in, bet and withdraw."""

    ACTIVE = "active"
    BLOCKED = "blocked"


class Item(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """One bet within a batch. Amounts in minor units; `winloss` is net of the stake.

    In a payload it is the array of these fields, in this order: never change it.
    """

    bet_index: str
    bet_type: str
    amount: int
    winloss: int = 0
    winloss_before: int = 0


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request to the wallet, already strictly validated.

    `transaction_id` is the provider's id, or the back office's Idempotency-Key. `timestamp_ms` is the
    provider's own clock, `received_ms` ours, both epoch milliseconds.
    """

    kind: Kind
    provider: str
    user_id: str
    transaction_id: str
    timestamp_ms: int
    received_ms: int
    currency: str = ""
    game_no: str = ""
    items: tuple[Item, ...] = ()
    amount: int = 0  # deposits and withdrawals
    status: str = ""  # status changes
    context: dict[str, str] = {}  # what the provider told beside it (game_type, table_no, result, feedback_data …)


class Policy(msgspec.Struct, frozen=True):
    """How a provider wants the configurable rows decided (SEMANTICS rows marked cfg)."""

    session_required: bool = True
    session_ms: int = 8 * 3600 * 1000
    session_grace_ms: int = 10_000
    cancel_unknown: str = CancelUnknownRule.TOMBSTONE
    change_overdraw: str = ChangeOverdrawRule.DEBT
    bet_age_max_ms: int = 0  # how old a bet may be that is not known yet; 0: of any age


class Answer(msgspec.Struct, frozen=True):
    """The wallet's decision. `reason` is a short stable word for metrics, logs and tests, never for the provider.

    `balance` and `debt` are minor units after the command, None when the player is not known. `detail` says more than
    the reason, for the log alone: where in an invalid request the fault is.
    """

    code: Code
    reason: str
    balance: int | None = None
    debt: int | None = None
    currency: str = ""
    detail: str = ""


_bet_index = attrgetter("bet_index")
_pack = msgspec.msgpack.Encoder().encode


def digest(*parts: str | int) -> bytes:
    """16 bytes that no other list of parts shares: MessagePack puts type and length before each part."""
    return blake2b(_pack(parts), digest_size=DIGEST_BYTES).digest()


def shard_of(user_id: str, shards: int) -> int:
    """The shard that owns a player: CRC-32 of the UTF-8 user_id, modulo the fixed number of shards."""
    return crc32(user_id.encode()) % shards


def event_digest(command: Command) -> bytes:
    """Identity of an event: (provider, user_id, transaction_id)."""
    return digest("event", command.provider, command.user_id, command.transaction_id)


def round_digest(command: Command) -> bytes:
    """Identity of a round: (provider, user_id, game_no). With a bet_index it is that of a bet, for ever."""
    return digest("round", command.provider, command.user_id, command.game_no)


def fingerprint(command: Command) -> bytes:
    """What an event says, in 16 bytes: kind, currency, game_no and the amounts of each item by bet_index.

    Nothing else takes part, so that a retry may carry a new timestamp or further fields (SEMANTICS, Identity).
    """
    parts: list[str | int] = [
        "fingerprint",
        command.kind,
        command.currency,
        command.game_no,
        command.amount,
        command.status,
    ]
    items = command.items
    for item in sorted(items, key=_bet_index) if len(items) > 1 else items:
        parts += (item.bet_index, item.amount, item.winloss, item.winloss_before)
    return blake2b(_pack(parts), digest_size=DIGEST_BYTES).digest()
