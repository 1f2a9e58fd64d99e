"""The webhook of the peers: an ordinary aiohttp handler with our providers' headers, cipher and wire format.

What takes a bet is a function, and all that differs between them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from benchmarks.service import provider
from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import Answer, Code, Command, Kind
from seamless_wallet.providers import Invalid

PATH: Final = "/webhook/bench"
BACKLOG: Final = 1024

Take = Callable[[Command], Awaitable[Answer]]


def handler(take: Take) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of bets that `take` decides."""
    bench = provider()

    async def handle(request: web.Request) -> web.Response:
        key = bench.match_key(request.headers.get("Api-Key", ""))
        if key is None or not bench.is_api_id(request.headers.get("Api-Id", "")):
            return web.json_response({"code": "R2"})
        try:
            incoming = bench.profile.decode(bench.open(await request.read(), key), bench, time.time_ns() // 1_000_000)
        except (DecryptionError, Invalid):
            return web.json_response({"code": "R3"})
        command = incoming.command
        answer = await take(command) if command.kind is Kind.BET else Answer(Code.R3, "kind")
        text = bench.profile.encode_reply(incoming.echo, answer, bench.scales.get(answer.currency))
        return web.Response(body=bench.seal(text, key), headers=bench.headers(key))

    return handle


async def serve(port: int, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    """Serve for ever."""
    app = web.Application()
    app.router.add_post(PATH, handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=BACKLOG).start()
    await asyncio.Event().wait()


def port_argument() -> int:
    """The port that the command line names first."""
    return int(sys.argv[1])
