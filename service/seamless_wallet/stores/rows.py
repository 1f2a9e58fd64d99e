"""From entries to rows and back: what every SQL backend shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from seamless_wallet.commands import Kind, PlayerStatus, shard_of
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.entry import INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.fold import Session, Wallet, fold_wallet, net_effect
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.money import AMOUNT_MAX

VOID: Final = "void"
"""In place of a kind: an entry that moved nothing, because it could not be committed as it was."""

_encode_sessions = msgspec.json.Encoder(order="sorted").encode
_decode_sessions = msgspec.json.Decoder(dict[str, Session]).decode
_KIND_TEXTS: Final = {kind: kind.value for kind in Kind}
_STATUS: Final = Kind.STATUS
_LETTERS: Final = {Kind.CANCEL: frozenset("+-t")}
_PLAIN_LETTERS: Final = frozenset("+-")
_STATUSES: Final = frozenset(status.value for status in PlayerStatus)
_encode_void = msgspec.msgpack.Encoder().encode
_decode_void = msgspec.msgpack.Decoder(tuple[str, bytes, bytes]).decode


WalletRow = tuple[int, str, str, str, int, int, int, int, int, str]
"""A row of the table `wallet`: player, user_id, currency, status, version, seq, balance, debt, last, sessions."""


class StoredWallet(msgspec.Struct, frozen=True, gc=False):
    """A wallet in SQL: the player's number, the id of his newest entry, and what it came to."""

    player: int
    last: int
    wallet: Wallet


class EntryRow(NamedTuple):
    """A row of the table `entry`, in the order of its columns."""

    id: int
    shard: int
    seq: int
    epoch: int
    player: int
    previous: int
    kind: str
    provider: str
    transaction_id: str
    game_no: str
    received_ms: int
    version: int
    balance: int
    debt: int
    balance_delta: int
    debt_delta: int
    effects: str
    payload: bytes
    chain: bytes


Place = tuple[int, int, int, bytes]
"""Where an entry is put: its own id, its player, the id of the player's entry before, and its chain link."""


class InvalidEntry(WalletError, ValueError):
    """An entry that contradicts itself."""


def encode_sessions(sessions: Mapping[str, Session]) -> str:
    """JSON with sorted keys: equal sessions have equal text."""
    return _encode_sessions(sessions).decode()


def wallet_row(player: int, last: int, wallet: Wallet) -> WalletRow:
    """The columns of a wallet."""
    return (
        player,
        wallet.user_id,
        wallet.currency,
        wallet.status,
        wallet.version,
        wallet.seq,
        wallet.balance,
        wallet.debt,
        last,
        encode_sessions(wallet.sessions),
    )


def stored_wallet(row: WalletRow) -> StoredWallet:
    """The inverse of `wallet_row`.

    Raises msgspec.MsgspecError for sessions that cannot be read.
    """
    player, user_id, currency, status, version, seq, balance, debt, last, sessions = row
    decoded = {} if sessions == "{}" else _decode_sessions(sessions)
    return StoredWallet(player, last, Wallet(user_id, currency, status, version, seq, balance, debt, decoded))


def apply_entry(wallet: Wallet | None, entry: Entry, shards: int) -> Wallet:
    """The wallet after the entry, whose own arithmetic is checked first. Raises one of INVALID_ENTRY_ERRORS."""
    command, decision = entry.command, entry.decision
    if shard_of(entry.user_id, shards) != entry.shard:
        raise InvalidEntry("the player belongs to another shard")
    if not _LETTERS.get(command.kind, _PLAIN_LETTERS).issuperset(decision.effects):
        raise InvalidEntry("an effect that its kind does not have")
    if net_effect(entry) != decision.balance_delta - decision.debt_delta:
        raise InvalidEntry("the money moved is not what its items say")
    if decision.balance > AMOUNT_MAX or decision.debt > AMOUNT_MAX or not 0 <= command.received_ms <= AMOUNT_MAX:
        raise InvalidEntry("a number out of range")
    if command.kind is _STATUS and command.status not in _STATUSES:
        raise InvalidEntry("an unknown status")
    if wallet is not None and command.currency not in ("", wallet.currency):
        raise InvalidEntry("not the currency of the wallet")
    return fold_wallet(wallet, entry)


def entry_row(entry: Entry, place: Place) -> tuple[object, ...]:
    """The columns of an entry, in the order of `EntryRow`. Raises one of INVALID_ENTRY_ERRORS.

    What was decided is kept as numbers only: so an entry whose decision is written in another way is not valid.
    """
    command, decision = entry.command, entry.decision
    if decision.text().encode() != entry.decided:
        raise InvalidEntry("its decision is not written as Lua writes it")
    entry_id, player, previous, chain = place
    return (
        entry_id, entry.shard, entry.seq, entry.epoch, player, previous, _KIND_TEXTS[command.kind], entry.provider,
        command.transaction_id, command.game_no, command.received_ms, decision.version, decision.balance, decision.debt,
        decision.balance_delta, decision.debt_delta, decision.effects, entry.payload, chain,
    )  # fmt: skip


def void_row(entry: Entry, place: Place) -> tuple[object, ...]:
    """The same of a void entry: no more than that it was there, why it counts for nothing, and its bytes."""
    try:
        received_ms = min(max(entry.command.received_ms, 0), AMOUNT_MAX)
    except (UnknownPayloadVersion, *INVALID_ENTRY_ERRORS):
        received_ms = 0
    kept = _encode_void((entry.user_id, entry.payload, entry.decided))
    entry_id, player, _, chain = place
    return (
        entry_id, entry.shard, entry.seq, entry.epoch, player, 0, VOID, entry.provider, "", "", received_ms,
        0, 0, 0, 0, 0, entry.void, kept, chain,
    )  # fmt: skip


def entry_of(row: EntryRow, user_id: str) -> Entry:
    """The entry as it came from Redis. Raises one of INVALID_ENTRY_ERRORS for a void one that cannot be read."""
    if row.kind == VOID:
        user_id, payload, decided = _decode_void(row.payload)
        entry = Entry(row.shard, row.epoch, row.seq, user_id, row.provider, payload, decided)
        entry.void = row.effects
        return entry
    decided = f"{row.version} {row.balance} {row.debt} {row.balance_delta} {row.debt_delta} {row.effects}".encode()
    return Entry(row.shard, row.epoch, row.seq, user_id, row.provider, row.payload, decided)
