"""Each request has an id: that of the caller, or one of ours. It stands in the lines of the log, and in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from seamless_wallet.observability.call_context import REQUEST_ID, begin_call

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler


@web.middleware
async def request_ids(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind the id to what is logged from here on, and send it back."""
    context = begin_call(request.headers)
    response = await handler(request)
    response.headers[REQUEST_ID] = context.request_id
    return response
