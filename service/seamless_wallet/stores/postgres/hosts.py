"""Which of the hosts that a URL names takes writes: they are asked side by side, as one of them may never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlunsplit

from seamless_wallet.errors import WalletError
from seamless_wallet.postgres_urls import split_postgres_url

T = TypeVar("T")

STAGGER_S: Final = 0.25
"""How long a host is waited for before the next one is asked, too. Most answer within, and then no other is asked."""


class NobodyAnswered(WalletError):
    """No host could be used; `errors` says why, one of each at least."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__("; ".join(dict.fromkeys(map(first_line, errors))))
        self.errors = errors


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error) or type(error).__name__).partition("\n")[0]


def urls_of(url: str) -> list[str]:
    """A URL for each of the hosts that this one names, in their order."""
    parts = split_postgres_url(url)
    user, at, hosts = parts.netloc.rpartition("@")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    names = (hosts or options.get("host", "")).split(",")
    ports = options.get("port", "").split(",")
    if len(names) == 1:
        return [url]
    urls = []
    for number, name in enumerate(names):
        own = dict(options)
        if len(ports) == len(names):
            own["port"] = ports[number]
        if not hosts:
            own["host"] = name
        urls.append(urlunsplit(parts._replace(netloc=f"{user}{at}{name if hosts else ''}", query=urlencode(own))))
    return urls


async def first_of(
    url: str, reach: Callable[[str], Awaitable[T]], abandon: Callable[[T], None], expected: tuple[type[Exception], ...]
) -> T:
    """The first that is reached of the hosts of a URL; one that is reached as well, and not needed, is abandoned.

    asyncpg would ask one after the other within one time-out, and a host that is silent would use it up. Raises
    NobodyAnswered if each raised one of `expected`.
    """
    waiting, pending, errors = urls_of(url), set[asyncio.Task[T]](), list[Exception]()

    def let_go(task: asyncio.Task[T]) -> None:
        if not task.cancelled() and task.exception() is None:
            abandon(task.result())

    async def reach_one(each: str) -> T:
        return await reach(each)

    try:
        while waiting or pending:
            if waiting:
                pending.add(asyncio.create_task(reach_one(waiting.pop(0))))
            wait_s = STAGGER_S if waiting else None
            done, _ = await asyncio.wait(pending, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                pending.discard(task)
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, expected):
                    raise error
                errors.append(error)
    finally:
        for task in pending:
            task.add_done_callback(let_go)
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    raise NobodyAnswered(errors)
