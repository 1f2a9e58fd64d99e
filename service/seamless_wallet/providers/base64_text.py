"""The forms in which a provider's library writes the base64 of a body.

The guide says no more than "base64", and libraries differ. Java's MIME encoder and PHP's `chunk_split` break lines with
CR LF every 76 characters, `openssl enc -a` with LF every 64. .NET's default writer puts a byte-order mark in front. A
JSON string may escape its slashes (PHP), its plus signs (.NET) and its line ends. Nothing else is skipped: a stricter
reader has fewer ways to read one body in two ways.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Final

import msgspec

from seamless_wallet.ciphers import DecryptionError

_BYTE_ORDER_MARK: Final = "\ufeff"
_BYTE_ORDER_MARK_UTF8: Final = _BYTE_ORDER_MARK.encode()


def decode_body(body: bytes) -> bytes:
    """The bytes that a body writes in base64: bare or as a JSON string, in one line or in lines of equal length.

    The content type is never looked at: the guide says `text/plain`, the event pages show `application/json`. Raises
    `DecryptionError`.
    """
    try:
        bare = _bare(body.removeprefix(_BYTE_ORDER_MARK_UTF8).strip())
        if len(bare) % 4 or bare.endswith(b"==="):
            raise DecryptionError  # strict_mode takes a "=" too many
        return a2b_base64(bare, strict_mode=True)
    except (Base64Error, msgspec.MsgspecError, UnicodeError):
        raise DecryptionError from None


def _bare(text: bytes) -> bytes:
    if text[:1] == b'"':
        if b"\n" in text and text.endswith(b'"'):  # quotes around lines, as no JSON encoder writes them
            text = b'"' + _in_one_line(text[1:-1].strip()) + b'"'
        text = msgspec.json.decode(text, type=str).removeprefix(_BYTE_ORDER_MARK).strip().encode()
    return _in_one_line(text)


def _in_one_line(text: bytes) -> bytes:
    """The text without its line ends. Raises DecryptionError unless all lines but the last, shorter one are alike."""
    if b"\n" not in text:
        return text
    first, *others, last = text.split(b"\r\n" if b"\r\n" in text else b"\n")
    if not 0 < len(last) <= len(first) or any(len(line) != len(first) for line in others):
        raise DecryptionError
    return b"".join((first, *others, last))
