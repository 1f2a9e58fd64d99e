"""Words for people: why a connection failed, and what stood in an answer that nobody can trust."""

from __future__ import annotations

import os
import ssl
from typing import Final

from seamless_wallet.errors import printable

EXCERPT_BYTES: Final = 120


def connection_fault(error: Exception) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    certificate = getattr(error, "certificate_error", getattr(error, "os_error", error))
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({certificate.verify_message}); pass --ca-file"
    if isinstance(certificate, ssl.SSLError):
        return f"no TLS ({certificate.reason or 'it ended'})"
    number = getattr(getattr(error, "os_error", error), "errno", None)
    return os.strerror(number).lower() if number else str(error) or type(error).__name__


def excerpt(text: bytes) -> str:
    """The first 120 bytes, printable."""
    return printable(text[:EXCERPT_BYTES].decode(errors="replace"))
