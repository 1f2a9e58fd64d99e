"""What strict reading of JSON needs beyond msgspec: exact numbers, and no key twice.

msgspec takes the last of two equal keys, silently. A provider whose parser takes the first would see another
amount than we do, and so would whoever rearranged the blocks of a body without a MAC: so a repeated key is
refused at any level.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from unicodedata import category


class _RepeatedKeyError(Exception):
    pass


def exact(number: str) -> Decimal:
    """A JSON number with a fraction or an exponent, exactly (a `float_hook`). NaN if beyond Decimal."""
    try:
        return Decimal(number)
    except InvalidOperation:
        return Decimal("NaN")


def has_control(text: str) -> bool:
    """Whether control characters (Cc) or lone surrogates (Cs) occur."""
    # Most texts are printable throughout; the others may still hold harmless separators and the like.
    return not text.isprintable() and any(category(char) in {"Cc", "Cs"} for char in text)


def has_repeated_key(text: bytes, keys: int, strings: str) -> bool:
    r"""Whether some object of a JSON text that msgspec decoded has a key twice. Raises as `json.loads` does.

    `keys` is the number of distinct keys that were decoded, over all levels; `strings` all decoded string
    values on end. Every key has one colon outside of strings. A colon inside a decoded string stood as such
    in the text, unless written `\u003a`. So if the colons less those in `strings` are just `keys`, each key
    was there once. Otherwise (an unknown field, say) a slow and complete check decides, which costs some 10
    µs.
    """
    if text.count(b":") - strings.count(":") == keys and b"\\u003" not in text:
        return False
    return _search(text)


def _search(text: bytes) -> bool:
    try:
        json.loads(text, object_pairs_hook=_refuse_repeated, parse_int=str, parse_float=str)
    except _RepeatedKeyError:
        return True
    return False


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _RepeatedKeyError
