"""A worker: answers webhooks."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

from aiohttp import web

from seamless_wallet.http_server.aiohttp_internals import serve
from seamless_wallet.processes.assembly import wallet_core
from seamless_wallet.processes.provider_accounts import build_providers
from seamless_wallet.processes.runtime import Lifetime, connections_max, open_ledger, run_process
from seamless_wallet.settings import Settings
from seamless_wallet.supervisor.data_directory import BACKLOG, listen
from seamless_wallet.webhook.endpoint import build_app


async def serve_http(
    stack: AsyncExitStack, app: web.Application, fd: int | None, host: str, port: int, setting: str
) -> None:
    """Serve on the listening socket that the parent made, or on one of our own. Raises SettingsError."""
    listener = listen(host, port, setting) if fd is None else socket.socket(fileno=fd)
    await serve(stack, app, listener, connections_max=connections_max(), backlog=BACKLOG)


def run_worker(settings: Settings, *, fd: int | None = None, lifeline_fd: int | None = None) -> int:
    """Answer webhooks until told to stop. `fd` is a listening socket made by the parent. The exit status."""

    async def main(lifetime: Lifetime) -> None:
        providers = build_providers(settings)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(settings))
            core = await stack.enter_async_context(wallet_core(settings, ledger))
            app = build_app(
                providers,
                core.wallet,
                body_bytes_max=settings.body_bytes_max,
                clock=core.clock,
                trusted_proxies=settings.trusted_proxies,
            )
            await serve_http(stack, app, fd, settings.webhook_host, settings.webhook_port, "WALLET_WEBHOOK")
            await lifetime.last(core.ready())

    return run_process("worker", settings, main, lifeline_fd)
