"""The event as it stands in an entry: a MessagePack array, with the version of its form in front.

[1, kind, transaction_id, timestamp_ms, received_ms, currency, game_no, items, amount, status, context], an item as
[bet_index, bet_type, amount, winloss, winloss_before]. Player and provider are not in it: they stand beside it, in the
stream and in SQL, so that they can be told of an entry whose payload nobody here can read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from seamless_wallet.commands import Command, Item, Kind
from seamless_wallet.errors import WalletError

PAYLOAD_VERSION: Final = 1
"""The form that this version of the program writes, and the newest that it reads."""

_PayloadArray = tuple[int, Kind, str, int, int, str, str, tuple[Item, ...], int, str, dict[str, str]]

_decode = msgspec.msgpack.Decoder(_PayloadArray).decode
_encode = msgspec.msgpack.Encoder().encode


class UnknownPayloadVersion(WalletError):
    """The payload was written by a newer version of the program. It says nothing bad of the entry."""


def encode_payload(command: Command) -> bytes:
    """The command as it stands in the ledger, without its player and its provider."""
    return _encode(
        (
            PAYLOAD_VERSION,
            command.kind,
            command.transaction_id,
            command.timestamp_ms,
            command.received_ms,
            command.currency,
            command.game_no,
            command.items,
            command.amount,
            command.status,
            command.context,
        )
    )


def decode_payload(payload: bytes, user_id: str, provider: str) -> Command:
    """The inverse of `encode_payload`.

    Raises UnknownPayloadVersion, or msgspec.MsgspecError if the bytes are no payload.
    """
    if version_of(payload) > PAYLOAD_VERSION:
        raise UnknownPayloadVersion(
            f"a payload of version {version_of(payload)}; this program reads {PAYLOAD_VERSION}: install a newer one"
        )
    _, kind, transaction_id, timestamp_ms, received_ms, currency, game_no, items, amount, status, context = _decode(
        payload
    )
    return Command(
        kind=kind,
        provider=provider,
        user_id=user_id,
        transaction_id=transaction_id,
        timestamp_ms=timestamp_ms,
        received_ms=received_ms,
        currency=currency,
        game_no=game_no,
        items=items,
        amount=amount,
        status=status,
        context=context,
    )


def version_of(payload: bytes) -> int:
    """The version in front of a payload, 1 to 127; 0 if there is none. The head of the array is one byte or three."""
    if len(payload) > 1 and payload[0] & 0xF0 == 0x90:  # up to 15 elements
        first = payload[1]
    elif len(payload) > 3 and payload[0] == 0xDC:  # up to 65,535
        first = payload[3]
    else:
        return 0
    return first if first < 0x80 else 0
