"""The yardstick: an aiohttp handler on uvloop that reads the body and answers nothing."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def empty(request: web.Request) -> web.Response:
    """Read and answer."""
    await request.read()
    return web.Response(text="")


async def serve(port: int) -> None:
    """Serve for ever."""
    app = web.Application()
    app.router.add_post("/", empty)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
