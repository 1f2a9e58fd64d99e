"""Files of players: CSV with a head, or JSON, a player a line. Read as they are needed, however long they are.

In CSV a quoted field could go on in the next line. None of a player does, and a quote that somebody forgot to close
would swallow the players behind it. So here each line stands for itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

import msgspec

from seamless_wallet.clients.admin_api import NewPlayer
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_USAGE

PLAYER_LINE_CHARS_MAX: Final = 64 * 1024

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
        self._text = io.TextIOWrapper(self._file, encoding="utf-8-sig", errors="surrogateescape")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    @property
    def bytes_read(self) -> int:
        """How far it was read, roughly."""
        return self._file.tell()

    def lines(self) -> Iterator[Line]:
        """All lines but empty ones. Raises PlayerFileError if the head of a CSV names other columns."""
        numbered = self._numbered()
        if self._form == "jsonl":
            read: Callable[[int, str], Line] = _json_line
        else:
            read = partial(_csv_line, self._head(next(numbered, (1, ""))[1] or ""))
        for number, text in numbered:
            if text is None:
                yield Line(number, None, f"longer than {PLAYER_LINE_CHARS_MAX} characters")
            elif not _is_utf8(text):
                yield Line(number, None, "not UTF-8")
            elif text.strip():
                yield read(number, text)

    def _numbered(self) -> Iterator[tuple[int, str | None]]:
        """The lines with their numbers; None for one that is too long."""
        number, too_long = 0, False
        while text := self._text.readline(PLAYER_LINE_CHARS_MAX):
            is_rest, too_long = too_long, not text.endswith("\n") and len(text) == PLAYER_LINE_CHARS_MAX
            if not is_rest:
                number += 1
                yield number, None if too_long else text

    def _head(self, text: str) -> list[str]:
        """The columns that the first line of a CSV names. Raises PlayerFileError."""
        try:
            head = [name.strip() for name in next(csv.reader([text], strict=True), [])]
        except csv.Error as error:
            raise PlayerFileError(f"{self._path}: line 1: {error}") from None
        if not REQUIRED_COLUMNS <= set(head) <= set(PLAYER_COLUMNS) or len(set(head)) < len(head):
            raise PlayerFileError(f"{self._path}: the first line must name the columns {', '.join(PLAYER_COLUMNS)}")
        return head


def _json_line(number: int, text: str) -> Line:
    try:
        return Line(number, _decode(text))
    except msgspec.ValidationError as error:
        return Line(number, None, str(error))
    except (msgspec.DecodeError, RecursionError):
        return Line(number, None, "not a JSON object")


def _csv_line(head: Sequence[str], number: int, text: str) -> Line:
    if text.count('"') % 2:
        return Line(number, None, "a quote is not closed in this line")
    try:
        row = next(csv.reader([text], strict=True))
    except csv.Error as error:
        return Line(number, None, f"not CSV: {error}")
    if len(row) != len(head):
        return Line(number, None, "has another number of columns than the first line")
    given = {name: value for name, value in zip(head, row, strict=True) if value or name != "balance"}
    return Line(number, NewPlayer(**given))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
