"""From entries to rows and back: what every SQL backend shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from seamless_wallet.commands import BET_KINDS, Kind, PlayerStatus, bet_digest, shard_of
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import (
    Session,
    Wallet,
    first_seen_bets,
    fold_bet,
    fold_round,
    fold_wallet,
    items_with_effects,
    net_effect,
    open_bets_delta,
)
from seamless_wallet.money import AMOUNT_MAX

INVALID_ENTRY_ERRORS: Final = (ValueError, ArithmeticError, RecursionError, msgspec.MsgspecError)
"""What may be raised by reading an entry that is not valid."""

_encode_sessions = msgspec.json.Encoder(order="sorted").encode
_decode_sessions = msgspec.json.Decoder(dict[str, Session]).decode
_LETTERS: Final = {Kind.CANCEL: frozenset("+-t")}
_PLAIN_LETTERS: Final = frozenset("+-")
_STATUSES: Final = frozenset(status.value for status in PlayerStatus)

WalletRow = tuple[str, str, str, int, int, int, int, str]
"""user_id, currency, status, version, seq, balance, debt, sessions."""

StoredRow = tuple[bytes, int, int, int, bytes, bytes]
"""round_digest, shard, epoch, seq, payload, decided."""


class EntryRow(NamedTuple):
    """A row of the table `entry`, in the order of its columns but for the chain, which ends it."""

    shard: int
    seq: int
    epoch: int
    user_id: str
    event_digest: bytes
    fingerprint: bytes
    kind: str
    provider: str
    counterparty: str
    currency: str
    balance_delta: int
    debt_delta: int
    round_digest: bytes | None
    received_ms: int
    payload: bytes
    decided: bytes


class InvalidEntry(WalletError, ValueError):
    """An entry that contradicts itself."""


def encode_sessions(sessions: Mapping[str, Session]) -> str:
    """JSON with sorted keys: equal sessions have equal text."""
    return _encode_sessions(sessions).decode()


def wallet_of(row: WalletRow) -> Wallet:
    """A row of the table `wallet`. Raises msgspec.MsgspecError for sessions that cannot be read."""
    user_id, currency, status, version, seq, balance, debt, sessions = row
    decoded = {} if sessions == "{}" else _decode_sessions(sessions)
    return Wallet(user_id, currency, status, version, seq, balance, debt, decoded)


def apply_entry(wallet: Wallet | None, entry: Entry, shards: int) -> Wallet:
    """The wallet after the entry, whose own arithmetic is checked first. Raises one of INVALID_ENTRY_ERRORS."""
    command, decision = entry.command, entry.decision
    if shard_of(command.user_id, shards) != entry.shard:
        raise InvalidEntry("the player belongs to another shard")
    if not _LETTERS.get(command.kind, _PLAIN_LETTERS).issuperset(decision.effects):
        raise InvalidEntry("an effect that its kind does not have")
    if net_effect(entry) != decision.balance_delta - decision.debt_delta:
        raise InvalidEntry("the money moved is not what its items say")
    if max(decision.balance, decision.debt, command.received_ms) > AMOUNT_MAX or command.received_ms < 0:
        raise InvalidEntry("a number out of range")
    if command.kind is Kind.STATUS and command.status not in _STATUSES:
        raise InvalidEntry("an unknown status")
    if wallet is not None and command.currency not in ("", wallet.currency):
        raise InvalidEntry("not the currency of the wallet")
    return fold_wallet(wallet, entry)


def entry_row(entry: Entry, currency: str) -> EntryRow:
    """The columns of an entry of a wallet in `currency`. Raises one of INVALID_ENTRY_ERRORS."""
    command, decision = entry.command, entry.decision
    return EntryRow(
        entry.shard,
        entry.seq,
        entry.epoch,
        command.user_id,
        entry.event_digest,
        entry.fingerprint,
        command.kind.value,
        command.provider,
        entry.counterparty,
        currency,
        decision.balance_delta,
        decision.debt_delta,
        entry.round_digest,
        command.received_ms,
        entry.payload,
        entry.decided,
    )


def bets_after(entry: Entry, known: Callable[[bytes], Bet | None]) -> list[tuple[bytes, Bet]]:
    """Digest and state of every bet that the entry names, after it. `known`: digest → state before.

    Raises BetContradiction for what does not follow, or another of INVALID_ENTRY_ERRORS.
    """
    if entry.command.kind not in BET_KINDS:
        return []
    digests = [bet_digest(entry.command, item.bet_index) for item in entry.command.items]
    pairs = zip(digests, items_with_effects(entry), strict=True)
    return [(digest, fold_bet(known(digest), entry, item, effect)) for digest, (item, effect) in pairs]


def first_seen_digests(entry: Entry) -> list[bytes]:
    """Digests of the bets that the entry placed or tombstoned."""
    command = entry.command
    return [bet_digest(command, index) for index in first_seen_bets(entry)]


def round_change(entry: Entry) -> tuple[bytes, int]:
    """The entry's round and by how much its open bets change; (b"", 0) if they do not."""
    delta = open_bets_delta(entry)
    return (entry.round_digest or b"", delta) if delta else (b"", 0)


def fold_rounds(rows: Iterable[StoredRow]) -> dict[bytes, dict[str, Bet]]:
    """The bets of rounds whose every entry is given, each round's in order of seq. Raises FoldError."""
    rounds: dict[bytes, dict[str, Bet]] = {}
    for digest, shard, epoch, seq, payload, decided in rows:
        fold_round(rounds.setdefault(digest, {}), Entry(shard, epoch, seq, bytes(payload), bytes(decided)))
    return rounds
