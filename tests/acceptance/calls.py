"""Calls to a running service: one sealed login, a load of them on kept connections, and readiness."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing
from itertools import count
from typing import Any, Self
from urllib.parse import urlsplit

from seamless_wallet.clients.provider_events import new_event
from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.providers import Provider, build_provider
from tests.acceptance.service_process import KEY

_numbers = count(1)


def free_port() -> str:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def acme(key: str = KEY) -> Provider:
    """The provider of the configuration."""
    return build_provider(random_bytes=os.urandom, name="acme", api_id="acme", api_key=key, currencies={"KRW": 2})


def sealed(
    provider: Provider, kind: Kind, user_id: str = "ann", transaction_id: str = "", **fields: Any
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one event, which nobody has sent before if it has no `transaction_id` yet."""
    now_ms = time.time_ns() // 1_000_000
    command = new_event(
        kind,
        provider="acme",
        user_id=user_id,
        transaction_id=transaction_id or f"{kind}_{now_ms}_{next(_numbers)}",
        timestamp_ms=now_ms,
        feedback_data="",
        **fields,
    )
    (key,) = provider.keys
    return provider.seal(provider.profile.encode_event(command, 2), key), provider.headers(key)


def opened(provider: Provider, body: bytes) -> Code:
    """The code in an answer, sealed or plain."""
    if body.startswith(b"{"):
        return Code(json.loads(body)["code"])
    return provider.profile.decode_reply(provider.open(body, provider.keys[0])).code


def call(url: str, kind: Kind = Kind.LOGIN, key: str = KEY, **fields: Any) -> Code:
    """The code of the answer to one event."""
    provider = acme(key)
    body, headers = sealed(provider, kind, **fields)
    request = urllib.request.Request(f"{url}/webhook/acme", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return opened(provider, reply.read())


def items(game_no: str, amount: int = 100) -> dict[str, Any]:
    """The fields of an event about one bet."""
    return {"currency": "KRW", "game_no": game_no, "items": (Item("1", "P", amount),)}


def login(url: str, key: str = KEY) -> Code:
    """One sealed login; the code of its answer. It is R3 if Redis and SQL are there: nobody knows the player."""
    return call(url, key=key)


def metric(url: str, name: str) -> float:
    """Its value, without labels, as the admin process at a URL tells it."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as reply:
        lines = reply.read().decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))


def ready(url: str) -> tuple[int, dict[str, Any]]:
    """Status and components of /readyz."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=20) as reply:
            return reply.status, json.load(reply)["components"]
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, json.load(error)["components"]


class Load:
    """Logins of a player, one after the other on each of a few kept connections, until the end of the context.

    `codes` counts the answers. `faults` are the calls that got none.
    """

    def __init__(
        self,
        url: str,
        key: str = KEY,
        *,
        user_id: str = "ann",
        connections: int = 4,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self.codes: Counter[Code] = Counter()
        self.faults: list[str] = []
        self._address = urlsplit(url).netloc
        self._provider = acme(key)
        self._user_id = user_id
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._play) for _ in range(connections)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._address, timeout=20)
        return http.client.HTTPSConnection(self._address, timeout=20, context=self._tls)

    def _play(self) -> None:
        with closing(self._connection()) as connection:
            while not self._stop.is_set():
                body, headers = sealed(self._provider, Kind.LOGIN, self._user_id)
                try:
                    connection.request("POST", "/webhook/acme", body, headers)
                    code = opened(self._provider, connection.getresponse().read())
                except (OSError, http.client.HTTPException) as error:
                    self.faults.append(repr(error))
                    connection.close()
                else:
                    self.codes[code] += 1
                self._stop.wait(0.005)
