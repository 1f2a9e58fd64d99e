"""The forms in which providers' libraries write the base64 of a body, and the longest body that is legal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import ID_CHARS_MAX, ITEMS_MAX, Kind
from seamless_wallet.money import AMOUNT_MAX, json_number
from seamless_wallet.providers import build_provider
from seamless_wallet.settings import Settings

API_KEY = "k3y-of-32-bytes-for-tests-only!!"
PROVIDER = build_provider(
    random_bytes=os.urandom, name="dowinn", api_id="agent7", api_key=API_KEY, currencies={"KRW": 2, "LONGCURRENCY8": 8}
)
KEY = PROVIDER.keys[0]
TEXT = json.dumps({"event_type": "login", "feedback_data": "x" * 300}).encode()
SEALED = PROVIDER.seal(TEXT, KEY)
BOM = b"\xef\xbb\xbf"


def wrapped(base64_text: bytes, width: int, line_end: bytes) -> bytes:
    """The same in lines of `width` characters, without an end of the last line."""
    return line_end.join(base64_text[at : at + width] for at in range(0, len(base64_text), width))


MIME = wrapped(SEALED, 76, b"\r\n")
OPENSSL = wrapped(SEALED, 64, b"\n")
FORMS = {
    "Java's MIME encoder": MIME,
    "openssl enc -a": OPENSSL + b"\n",
    "PHP's chunk_split": MIME + b"\r\n",
    "a byte-order mark": BOM + SEALED,
    "a byte-order mark and lines": BOM + MIME,
    "a byte-order mark before a JSON string": BOM + b'"' + SEALED + b'"',
    "a byte-order mark in a JSON string": b'"\\ufeff' + SEALED + b'"',
    "MIME in a JSON string": json.dumps(MIME.decode()).encode(),
    "openssl in a JSON string": json.dumps((OPENSSL + b"\n").decode()).encode(),
    "PHP's json_encode of lines": json.dumps(MIME.decode()).replace("/", "\\/").encode(),
    ".NET's escapes": json.dumps(SEALED.decode()).replace("+", "\\u002B").encode(),
    "quotes around lines, unescaped": b'"' + MIME + b'"',
    "quotes around lines, unescaped, and the last one ended": b'"' + OPENSSL + b'\n"\n',
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_a_form_that_libraries_write_is_opened(body: bytes):
    """Lines, a byte-order mark, a JSON string, and all of them at once."""
    assert b"/" in SEALED
    assert b"+" in SEALED
    assert PROVIDER.open(body, KEY) == TEXT


def test_what_openssl_writes_is_opened():
    """`openssl enc -a`, as a provider would call it."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs the openssl command")
    command = [openssl, "enc", "-aes-256-ecb", "-a", "-K", API_KEY.encode().hex()]
    body = subprocess.run(command, input=TEXT, capture_output=True, check=True).stdout
    assert body.count(b"\n") > 1
    assert PROVIDER.open(body, KEY) == TEXT


OTHERS = {
    "lone carriage returns": wrapped(SEALED, 76, b"\r"),
    "lines of several lengths": SEALED[:40] + b"\n" + SEALED[40:104] + b"\n" + SEALED[104:],
    "a last line that is longer": SEALED[:8] + b"\n" + SEALED[8:],
    "an empty line": wrapped(SEALED, 76, b"\n\n"),
    "both kinds of line end": SEALED[:64] + b"\r\n" + wrapped(SEALED[64:], 64, b"\n"),
    "spaces": wrapped(SEALED, 64, b" "),
    "a space before a line end": wrapped(SEALED, 64, b" \n"),
    "tabs after line ends": wrapped(SEALED, 64, b"\n\t"),
    "a form feed": wrapped(SEALED, 64, b"\f"),
    "padding within": wrapped(SEALED[:60] + b"AA==" + SEALED[64:], 64, b"\n"),
    "no padding": wrapped(SEALED.rstrip(b"="), 64, b"\n") if SEALED.endswith(b"=") else SEALED[:-1],
    "padding too much": OPENSSL + b"====",
    "a character beyond base64": OPENSSL.replace(b"/", b"_"),
    "a byte-order mark within": SEALED[:64] + BOM + SEALED[64:],
    "two byte-order marks": BOM + BOM + SEALED,
    "a byte-order mark at the end": SEALED + BOM,
    "the mark of UTF-16": b"\xff\xfe" + SEALED,
    "lines in a string of several lengths": json.dumps((SEALED[:8] + b"\n" + SEALED[8:]).decode()).encode(),
    "an open quote before lines": b'"' + MIME,
    "only a byte-order mark": BOM,
    "only a quote and a line end": b'"\n',
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_any_other_form_stays_refused(body: bytes):
    """Nothing else is skipped: what is not base64 does not open."""
    with pytest.raises(DecryptionError) as caught:
        PROVIDER.open(body, KEY)
    assert caught.value.args == ()


def longest_change(character: str, free_text: str = "") -> bytes:
    """A change of results with as many bets as there may be, and the longest ids and amounts that are legal."""

    def named(number: int) -> str:
        return character * (ID_CHARS_MAX - 3) + f"{number:03d}"

    amount = json_number(AMOUNT_MAX // ITEMS_MAX, 8)
    items = ",".join(
        f'{{"bet_index":"{named(number)}","bet_type":"{named(0)}","bet_amount":{amount},"winloss":-{amount},'
        f'"winloss_before":-{amount}}}'
        for number in range(ITEMS_MAX)
    )
    total = json_number(AMOUNT_MAX // ITEMS_MAX * ITEMS_MAX, 8)
    described = "".join(
        f',"{name}":"{free_text}"' for name in ("result", "result_before", "result_detail", "result_detail_before")
    )
    return (
        f'{{"transaction_id":"{named(1)}","event_type":"bet_result_change","timestamp":1771000001,'
        f'"feedback_data":"{free_text}","user_id":"{named(2)}","data":{{"currency":"LONGCURRENCY8",'
        f'"game_type":"{free_text}","table_no":"{free_text}","game_no":"{named(3)}","total_bet_amount":{total},'
        f'"total_winloss":-{total},"total_winloss_before":-{total}{described},"bet_results":[{items}]}}}}'
    ).encode()


CHARACTERS = {
    "ASCII": "x",
    "three bytes of UTF-8": "한",
    "four bytes of UTF-8": "😀",
    "escaped": "\\ud55c",
    "escaped as a surrogate pair": "\\ud83d\\ude00",
}


@pytest.mark.parametrize("character", CHARACTERS.values(), ids=CHARACTERS)
def test_the_longest_legal_batch_fits_into_a_body(character: str):
    """In its longest form, and with 4096 characters in each field of free text, it is below the default limit."""
    text = longest_change(character, character * 4096)
    command = PROVIDER.profile.decode(text, PROVIDER, 7).command
    assert (command.kind, len(command.items)) == (Kind.CHANGE, ITEMS_MAX)
    assert {len(item.bet_index) for item in command.items} == {ID_CHARS_MAX}
    quoted = json.dumps(wrapped(PROVIDER.seal(text, KEY), 64, b"\r\n").decode()).replace("/", "\\/").encode()
    assert PROVIDER.open(quoted, KEY) == text
    limit = Settings.model_fields["body_bytes_max"].default
    assert len(quoted) <= limit
