"""Files of players: CSV with a head, or a JSON object a line. Read as they are needed, however long they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

import msgspec

from seamless_wallet.clients.admin_api import NewPlayer
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_USAGE

PLAYER_LINE_BYTES_MAX: Final = 64 * 1024

PLAYER_COLUMNS: Final = ("user_id", "currency", "balance")
REQUIRED_COLUMNS: Final = frozenset({"user_id", "currency"})

_decode: Final = msgspec.json.Decoder(NewPlayer).decode


class PlayerFileError(WalletError):
    """The file is none of players. One line that says why."""

    exit_status = EXIT_USAGE


class Line(NamedTuple):
    """A line of the file, numbered from 1: the player that it names, or what is wrong with it."""

    number: int
    player: NewPlayer | None
    wrong: str = ""


class PlayerFile:
    """A file that is read once, from its beginning. A context manager."""

    def __init__(self, path: Path, form: str = "") -> None:
        """`form` is `csv` or `jsonl`; by default the end of the file's name. Raises PlayerFileError."""
        self._form = form or path.suffix.removeprefix(".").lower().replace("ndjson", "jsonl")
        if self._form not in {"csv", "jsonl"}:
            raise PlayerFileError(f"{path} ends neither in .csv nor in .jsonl: pass --format")
        self._path = path
        try:
            self._file: BinaryIO = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise PlayerFileError(f"cannot read {path}: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def bytes_read(self) -> int:
        """How far it was read, roughly."""
        return self._file.tell()

    def lines(self) -> Iterator[Line]:
        """All lines but empty ones. Raises PlayerFileError if the head of a CSV names other columns."""
        return self._csv_lines() if self._form == "csv" else self._json_lines()

    def _json_lines(self) -> Iterator[Line]:
        number, too_long = 0, False
        while raw := self._file.readline(PLAYER_LINE_BYTES_MAX):
            is_rest, too_long = too_long, not raw.endswith(b"\n") and len(raw) == PLAYER_LINE_BYTES_MAX
            if is_rest:
                continue
            number += 1
            if too_long:
                yield Line(number, None, f"longer than {PLAYER_LINE_BYTES_MAX} bytes")
            elif text := raw.removeprefix(b"\xef\xbb\xbf").strip():
                yield _json_line(number, text)

    def _csv_lines(self) -> Iterator[Line]:
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        rows = csv.reader(text, strict=True)
        try:
            head = [name.strip() for name in next(rows, [])]
        except csv.Error as error:
            raise PlayerFileError(f"{self._path}: line 1: {error}") from None
        if not REQUIRED_COLUMNS <= set(head) <= set(PLAYER_COLUMNS) or len(set(head)) < len(head):
            raise PlayerFileError(f"{self._path}: the first line must name the columns {', '.join(PLAYER_COLUMNS)}")
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                text.detach()  # whoever has opened the file closes it
                return
            except csv.Error as error:
                yield Line(number, None, f"not CSV: {error}")
                continue
            if row:
                yield _csv_line(number, dict(zip(head, row, strict=False)), len(row) == len(head))


def _json_line(number: int, text: bytes) -> Line:
    try:
        return Line(number, _decode(text))
    except msgspec.ValidationError as error:
        return Line(number, None, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Line(number, None, "not a JSON object in UTF-8")


def _csv_line(number: int, row: dict[str, str], is_complete: bool) -> Line:
    if not is_complete:
        return Line(number, None, "has another number of columns than the first line")
    if not all(map(_is_text, row.values())):
        return Line(number, None, "not UTF-8")
    given = {name: value for name, value in row.items() if value or name != "balance"}
    return Line(number, NewPlayer(**given))


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
