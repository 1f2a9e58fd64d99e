"""The yardstick: an aiohttp handler on uvloop that reads the body and answers as many bytes as a reply has.

python -m benchmarks.peers.empty PORT
"""

from __future__ import annotations

from typing import Final

import uvloop
from aiohttp import web

from benchmarks.peers.webhook import port_argument, serve

BODY: Final = bytes(172)


async def empty(request: web.Request) -> web.Response:
    """Read and answer."""
    await request.read()
    return web.Response(body=BODY)


if __name__ == "__main__":
    uvloop.run(serve(port_argument(), empty))
