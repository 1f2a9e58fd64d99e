"""Binding an address: by the supervisor for all who inherit the socket, or by a process that was started by itself."""

from __future__ import annotations

import errno
import socket
from typing import Final

from seamless_wallet.errors import SettingsError
from seamless_wallet.tls import PLAIN_HTTP_REMEDY, is_loopback

BACKLOG: Final = 1024
"""Connections that the kernel holds until a process accepts them."""


def bind_listener(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; port 0 takes any free one. `setting` is a setting's name before `_HOST` and `_PORT`.

    Raises SettingsError, which names the setting. There is no SO_REUSEPORT: with it a second service on a taken port
    would start without an error.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SettingsError(f"{setting}_HOST: {host} is not an address ({error.strerror}); correct it") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(_refusal(host, port, setting, error)) from None
    listener.setblocking(False)
    return listener


def check_plain_http(listener: socket.socket, setting: str) -> None:
    """Raises SettingsError, which names the setting, unless a listening socket is reached from this machine only."""
    host = listener.getsockname()[0]
    if not is_loopback(host):
        raise SettingsError(f"{setting}_HOST: {host} is no loopback address: {PLAIN_HTTP_REMEDY}")


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Where a listening socket is reached, with the port that it really has."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _refusal(host: str, port: int, setting: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{setting}_PORT: {host}:{port} is taken; stop the program that listens there, or choose another port"
    if error.errno == errno.EACCES:
        return f"{setting}_PORT: {port} needs privileges; choose a port above 1023"
    return f"{setting}_HOST: cannot listen on {host} ({error.strerror}); name an address of this machine"
