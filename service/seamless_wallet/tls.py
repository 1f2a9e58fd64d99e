"""TLS: what a server serves, what a client trusts, and until when a certificate is valid. It opens no connection.

Certificates and keys are texts in PEM. Who read them has checked the files; Python's `ssl` wants paths, so they go
through files in memory that have no name.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CIPHERS_OF_TLS_1_2: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secrecy and authenticated encryption only. Those of TLS 1.3 all have both."""

PROTOCOLS: Final = ("http/1.1",)
"""By ALPN."""


PLAIN_HTTP_REMEDY: Final = (
    "plain HTTP there would show keys and money to the network; set WALLET_TLS_CERT_FILE and WALLET_TLS_KEY_FILE, or, "
    "if a proxy in front speaks HTTPS, WALLET_PLAIN_HTTP=behind-proxy"
)


def is_loopback(host: str) -> bool | None:
    """Whether an address leads to this machine only. None: it is a name, which only a look-up can tell."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def server_context(cert: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """What a server serves: a certificate, with its chain, and its key. TLS 1.2 and 1.3.

    `client_ca`: certificates by which those of clients have to be signed; "": clients need none. Raises ValueError,
    which says what is wrong, and repeats nothing of a key.
    """
    _certificates(cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_OF_TLS_1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(PROTOCOLS))
    _load_pair(context, cert, key)
    if client_ca:
        _trust(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(ca: str = "", identity: str = "") -> ssl.SSLContext:
    """What a client trusts: the certificates of `ca`; "": those of the system. Raises ValueError.

    `identity`: certificate and key, in one text, for a server that wants one.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if identity:
        _load_pair(context, identity, identity)
    return context


def pinned_context(cert: str, identity: str = "") -> ssl.SSLContext:
    """What a client trusts that knows which certificate the server has: that one, under whatever name it is reached.

    `identity` as for `client_context`. Raises ValueError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the server's own certificate is the end of the chain
    end = "-----END CERTIFICATE-----"
    _trust(context, cert.partition(end)[0] + end)  # of a chain only the first one
    if identity:
        _load_pair(context, identity, identity)
    return context


def expiry_s(cert: str) -> float:
    """When the first one of some certificates ends to be valid, in epoch seconds. Raises ValueError."""
    return min(each.not_valid_after_utc.timestamp() for each in _certificates(cert))


def check_certificates(cert: str) -> None:
    """Raises ValueError unless these are certificates in PEM that TLS takes."""
    _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert)


def _certificates(cert: str) -> list[Certificate]:
    from cryptography import x509  # noqa: PLC0415 - a tenth of the start of a command, for those who have a certificate

    try:
        found = x509.load_pem_x509_certificates(cert.encode())
    except ValueError:
        raise ValueError(
            "is no certificate in PEM; name the file that begins with -----BEGIN CERTIFICATE-----"
        ) from None
    return found


def _trust(context: ssl.SSLContext, ca: str) -> None:
    _certificates(ca)
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise ValueError("has a certificate that cannot be trusted; take the file of the authority anew") from None


def _load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        with ExitStack() as stack:
            cert_path, key_path = (stack.enter_context(_unnamed_file(text)) for text in (cert, key))
            context.load_cert_chain(cert_path, key_path, password=_refuse_password)
    except _PasswordNeededError:
        raise ValueError(
            "is encrypted; store it without a pass phrase, in a file that only the wallet may read"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError("does not belong to the certificate; name the two that were made together") from None
        raise ValueError(
            "is no private key in PEM, or one that TLS does not take; name the key of the certificate"
        ) from None


class _PasswordNeededError(Exception):
    """OpenSSL would ask for it on the terminal."""


def _refuse_password() -> str:
    raise _PasswordNeededError


@contextmanager
def _unnamed_file(text: str) -> Iterator[Path]:
    handle = os.memfd_create("pem")
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(text.encode())
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
