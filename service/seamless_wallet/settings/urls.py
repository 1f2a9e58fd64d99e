"""Checks of addresses and tokens, before anything uses them. No message repeats a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from seamless_wallet.postgres_urls import split_postgres_url

REDIS_SCHEMES: Final = ("redis://", "rediss://", "unix://")
SQLITE_PREFIX: Final = "sqlite:///"
POSTGRES_PREFIXES: Final = ("postgresql://", "postgres://")
POSTGRES_OPTIONS: Final = frozenset(
    {"host", "port", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslpassword"}
)
"""What else libpq knows would override what the service sets for its connections."""

TOKEN_CHARACTERS_MIN: Final = 16
SOCKET_PATH_BYTES_MAX: Final = 107
"""The address of a unix socket holds 108 bytes (unix(7)), of which the last is zero."""

TLS_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
TLS_DIRECTORIES: Final = frozenset({"ssl_ca_path"})
TLS_OPTIONS: Final = TLS_FILES | TLS_DIRECTORIES | {"ssl_cert_reqs", "ssl_check_hostname"}
_DATABASE: Final = re.compile(r"/?|/[0-9]{1,5}/?")
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_TOKEN: Final = re.compile(r"[!-~]+")


def check_host(host: str) -> str:
    """The host, if it is an address or a name that can be looked up. Raises ValueError."""
    if not _is_host(host):
        raise ValueError("should be an address such as 127.0.0.1, or a host name")
    return host


def check_redis_url(url: str) -> None:
    """Raises ValueError unless redis-py can connect to the URL, and would ignore no part of it."""
    if not url.startswith(REDIS_SCHEMES):
        raise ValueError(f"should start with {', '.join(REDIS_SCHEMES)}; leave it out for the embedded Valkey")
    if not url.isprintable() or " " in url:
        raise ValueError("has a space or a control character; remove it, or percent-encode it")
    parts = _split(url)
    if parts.scheme == "unix":
        _check_socket(parts)
    else:
        _check_server(parts)
    _check_options(parts)


def socket_url(path: Path) -> str:
    """The URL of a server on a unix socket, whatever characters are in the path."""
    return f"unix://{quote(os.fsencode(path))}"


def check_ledger_url(url: str) -> None:
    """Raises ValueError unless it is the URL of a supported ledger."""
    if url.startswith(POSTGRES_PREFIXES):
        _check_postgres_url(url)
    elif not url.startswith(SQLITE_PREFIX) or url == SQLITE_PREFIX or "\0" in url:
        raise ValueError(
            "is the URL of neither a SQLite file nor a PostgreSQL database; set it to sqlite:///path or "
            "postgresql://user:password@host/database, or leave it out"
        )


def _check_postgres_url(url: str) -> None:
    if not url.isprintable() or " " in url:
        raise ValueError("has a space or a control character; remove it, or percent-encode it")
    parts = _split(url, split_postgres_url)
    if not parts.path.strip("/") or "/" in parts.path.strip("/"):
        raise ValueError("names no database; write it as in postgresql://user:password@host/database")
    unknown = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - POSTGRES_OPTIONS
    if unknown:
        raise ValueError(f"may have no options but {', '.join(sorted(POSTGRES_OPTIONS))}; remove the others")


def check_token(token: str) -> None:
    """Raises ValueError unless a header can carry the token, and it is long enough not to be guessed."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            "may contain only printable ASCII without spaces, as a header carries it; "
            "use the output of `openssl rand -hex 32`, or leave it out to have a token generated"
        )
    if len(token) < TOKEN_CHARACTERS_MIN:
        raise ValueError(
            f"is shorter than {TOKEN_CHARACTERS_MIN} characters; "
            "use the output of `openssl rand -hex 32`, or leave it out to have a token generated"
        )


def check_digest(digest: str) -> None:
    """Raises ValueError unless it is a SHA-256 in hexadecimal digits."""
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError("should be 64 hexadecimal digits, as `wallet token new` prints them")


def _split(url: str, split: Callable[[str], SplitResult] = urlsplit) -> SplitResult:
    with suppress(ValueError):  # its text may hold the password
        parts = split(url)
        if not parts.fragment:
            return parts
    raise ValueError("is not a URL; percent-encode special characters of the password")


def _is_host(host: str) -> bool:
    try:
        return bool(host.encode("idna")) and host.isprintable() and not re.search(r"[\s/@]", host)
    except UnicodeError:  # a label that is empty or too long
        return False


def _check_server(parts: SplitResult) -> None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(
            "has no valid port; write a number from 1 to 65535, as in redis://host:6379/0, "
            "and percent-encode special characters of the password"
        )
    if not parts.hostname or not _is_host(parts.hostname):
        raise ValueError("has no valid host; write it as in redis://host:6379/0")
    if not _DATABASE.fullmatch(parts.path):
        raise ValueError("has a path that is not the number of a database; write it as in redis://host:6379/0")


def _check_socket(parts: SplitResult) -> None:
    if parts.netloc.rpartition("@")[2] or parts.path in {"", "/"}:
        raise ValueError("needs the absolute path of a socket, as in unix:///run/redis.sock")
    if len(os.fsencode(unquote(parts.path))) > SOCKET_PATH_BYTES_MAX:
        raise ValueError(f"has a path over {SOCKET_PATH_BYTES_MAX} bytes, too long for a socket; choose a shorter one")


def _check_options(parts: SplitResult) -> None:
    """Options after the question mark would override those that the service sets for its connections."""
    allowed = TLS_OPTIONS | {"db"} if parts.scheme == "rediss" else {"db"}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed:
            raise ValueError(f"may have no options but {', '.join(sorted(allowed))}; remove the others")
        if name == "db" and not _NUMBER.fullmatch(value):
            raise ValueError("has a db that is not the number of a database; write it as in ?db=0")
