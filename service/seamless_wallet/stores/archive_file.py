"""The entries of a month as a file: JSON, one entry a line, compressed with Zstandard.

A person reads a line: who, what, when, amounts in major units, the event as it came. A program has all of the row
again: what the columns say, the event's bytes, the link of the chain. The first line says which ledger and month it is,
and where the shards' chains stood before; the last one says where they end, and how many entries there are.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec
import zstandard

from seamless_wallet.commands import DIGEST_BYTES, Item
from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.money import format_minor
from seamless_wallet.stores.audit import READ_ERRORS, ChainCheck, ChainEnd
from seamless_wallet.stores.rows import EntryRow, entry_of

VERSION: Final = 1
LEVEL: Final = 9
"""Of the compression: a file is written once, and kept for years."""

LINE_MAX: Final = 1 << 20
"""Bytes of a line. The largest event has 500 bets."""

TELL_EVERY: Final = 1_000

PARSE_ERRORS: Final = (
    msgspec.MsgspecError, zstandard.ZstdError, AttributeError, KeyError, OSError, TypeError, ValueError
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode

Line = dict[str, Any]


class ArchiveRefused(StoreError):
    """An archive that was refused, or does not hold what it should. One line that says what to do."""

    exit_status = EXIT_FAILURE


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `month`: such as 2026-01; `begins`: by shard epoch, seq and chain, in hexadecimal."""

    archive: int
    ledger: str
    month: str
    shards: int
    currencies: dict[str, int]
    begins: list[tuple[int, int, str]]


class Footer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line. `digest`: over all rows, in hexadecimal; `ends`: as `begins` of the header."""

    entries: int
    digest: str
    ends: list[tuple[int, int, str]]


class RowDigest:
    """A digest over rows, with the names and currencies of their players, in order."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        self.entries = 0

    def add(self, row: EntryRow, user_id: str, currency: str) -> None:
        """One more row."""
        self._digest.update(_pack((*row, user_id, currency)))
        self.entries += 1

    def hexdigest(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()


def ends_text(ends: Mapping[int, ChainEnd], shards: int) -> list[tuple[int, int, str]]:
    """By shard, with the chain in hexadecimal."""
    return [(epoch, seq, chain.hex()) for epoch, seq, chain in (ends[shard] for shard in range(shards))]


class Proof(NamedTuple):
    """What an archive that holds together says."""

    header: Header
    footer: Footer
    sums: Mapping[tuple[str, str], tuple[int, int]]
    """By currency and provider what was moved: of balances, and of debts, in minor units."""


class ArchiveWriter:
    """Writes an archive into an open file: `add` each entry by its place, then `finish`."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._scales = header.currencies
        self._stream = zstandard.ZstdCompressor(LEVEL, write_checksum=True).stream_writer(file, closefd=False)
        self._digest = RowDigest()
        self._write(msgspec.to_builtins(header))

    def add(self, row: EntryRow, user_id: str, currency: str) -> None:
        """One more entry. Raises one of READ_ERRORS if its event cannot be read."""
        self._write(line_of(row, user_id, currency, self._scales.get(currency, 0)))
        self._digest.add(row, user_id, currency)

    def finish(self, ends: list[tuple[int, int, str]]) -> Footer:
        """Write the last line, and all that is not written yet; what it says."""
        footer = Footer(self._digest.entries, self._digest.hexdigest(), ends)
        self._write(msgspec.to_builtins(footer))
        self._stream.close()  # type: ignore[no-untyped-call]
        return footer

    def _write(self, line: Line) -> None:
        self._stream.write(_encode(line) + b"\n")


def line_of(row: EntryRow, user_id: str, currency: str, scale: int) -> Line:
    """An entry as it stands in the file. Raises one of READ_ERRORS."""
    entry = entry_of(row, user_id)
    received = _EPOCH + timedelta(milliseconds=row.received_ms)
    return {
        "received": received.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "user_id": user_id,
        "kind": row.kind,
        "provider": row.provider,
        "transaction_id": row.transaction_id,
        "game_no": row.game_no,
        "currency": currency,
        "balance_delta": format_minor(row.balance_delta, scale),
        "debt_delta": format_minor(row.debt_delta, scale),
        "balance": format_minor(row.balance, scale),
        "debt": format_minor(row.debt, scale),
        "effects": row.effects,
        "event": None if entry.void else _event(entry.command, scale),
        "shard": row.shard,
        "seq": row.seq,
        "epoch": row.epoch,
        "id": row.id,
        "player": row.player,
        "previous": row.previous,
        "version": row.version,
        "received_ms": row.received_ms,
        "payload": b64encode(row.payload).decode(),
        "chain": row.chain.hex(),
    }


def _event(command: Any, scale: int) -> Line:
    """What the columns do not say of an event; what is empty is left out."""
    said = {
        "timestamp_ms": command.timestamp_ms,
        "amount": format_minor(command.amount, scale) if command.amount else "",
        "status": command.status,
        "items": [_item(item, scale) for item in command.items],
        "context": command.context,
    }
    return {name: value for name, value in said.items() if value}


def _item(item: Item, scale: int) -> Line:
    amounts = {"amount": item.amount, "winloss": item.winloss, "winloss_before": item.winloss_before}
    written = {name: format_minor(minor, scale) for name, minor in amounts.items()}
    return {"bet_index": item.bet_index, "bet_type": item.bet_type, **written}


def row_of(line: Line) -> EntryRow:
    """The inverse of `line_of`. Raises one of PARSE_ERRORS."""
    balance, debt, balance_delta, debt_delta = (
        int(line[name].replace(".", "")) for name in ("balance", "debt", "balance_delta", "debt_delta")
    )
    return EntryRow(
        line["id"], line["shard"], line["seq"], line["epoch"], line["player"], line["previous"], line["kind"],
        line["provider"], line["transaction_id"], line["game_no"], line["received_ms"], line["version"], balance,
        debt, balance_delta, debt_delta, line["effects"], b64decode(line["payload"], validate=True),
        bytes.fromhex(line["chain"]),
    )  # fmt: skip


def read_header(path: Path) -> Header:
    """The first line of an archive. Raises ArchiveRefused."""
    try:
        with path.open("rb") as file:
            return _header(next(_lines(file)))
    except (*PARSE_ERRORS, StopIteration) as error:
        raise ArchiveRefused(f"{path} is no archive of a month: {str(error) or 'it is empty'}") from error


def prove_file(path: Path, progress: Callable[[int, int], None]) -> Proof:
    """Read an archive from the first line to the last, and prove that it is whole. Raises ArchiveRefused.

    Each line says what its own row says; each entry is chained to the one before it, from the beginnings to the ends;
    and number and digest are those of the last line. `progress` is told bytes.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            return _prove(_lines(file), lambda: progress(file.tell(), size))
    except ArchiveRefused as error:
        raise ArchiveRefused(f"the archive {path} does not hold together: {error}") from None
    except (*PARSE_ERRORS, StopIteration, *READ_ERRORS) as error:
        raise ArchiveRefused(f"the archive {path} is damaged: {str(error) or 'it has no end'}") from error


def _prove(lines: Iterator[bytes], tell: Callable[[], None]) -> Proof:
    header = _header(next(lines))
    begins = {shard: (epoch, seq, bytes.fromhex(chain)) for shard, (epoch, seq, chain) in enumerate(header.begins)}
    chains, digest = ChainCheck(begins), RowDigest()
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    number = 1
    for text in lines:
        number += 1
        line = msgspec.json.decode(text)
        if "digest" in line:
            footer = msgspec.convert(line, Footer)
            if next(lines, None) is not None:
                raise ArchiveRefused("something follows the last line")
            break
        row, user_id, currency = row_of(line), line["user_id"], line["currency"]
        if _encode(line_of(row, user_id, currency, header.currencies.get(currency, 0))) != text:
            raise ArchiveRefused(f"line {number} says something else than its event")
        for finding in chains.check(row, user_id):
            raise ArchiveRefused(f"line {number}, shard {finding.shard}, entry {finding.seq}: {finding.text}")
        digest.add(row, user_id, currency)
        if currency:
            balance, debt = sums.get((currency, row.provider), (0, 0))
            sums[currency, row.provider] = balance + row.balance_delta, debt + row.debt_delta
        if not number % TELL_EVERY:
            tell()
    else:
        raise ArchiveRefused("the last line is missing")
    if footer != Footer(digest.entries, digest.hexdigest(), ends_text(chains.ends, header.shards)):
        raise ArchiveRefused("the last line says something else than the lines before it")
    tell()
    return Proof(header, footer, sums)


def _header(text: bytes) -> Header:
    header = msgspec.json.decode(text, type=Header)
    if header.archive != VERSION:
        raise ArchiveRefused(f"it has the form {header.archive}: use a newer version of this program")
    return header


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Decompressed, without their ends. Raises one of PARSE_ERRORS."""
    rest = b""
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream:
        while chunk := stream.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > LINE_MAX:
                raise ArchiveRefused("a line without end")
    if rest:
        raise ArchiveRefused("the last line is not whole")
