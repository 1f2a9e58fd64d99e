"""The admin process: back office, health and metrics, on a port of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack

from service.app.core import wallet_core
from service.app.process import Lifetime, open_ledger, run_process
from service.app.serve import serve_http
from service.backoffice import build_app
from service.settings import Settings, admin_token


def run_admin(settings: Settings, *, fd: int | None = None, lifeline_fd: int | None = None) -> int:
    """Serve the back office until told to stop. `fd` is a listening socket made by the parent. The exit status."""

    async def main(lifetime: Lifetime) -> None:
        token = admin_token(settings)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(settings))
            core = await stack.enter_async_context(wallet_core(settings, ledger))
            app = build_app(
                wallet=core.wallet,
                ledger=ledger,
                clock=core.clock,
                scales=settings.currencies,
                token=token.get_secret_value(),
                readiness=core.readiness,
            )
            await serve_http(stack, app, fd, settings.admin_host, settings.admin_port, "WALLET_ADMIN")
            await lifetime.last(core.ready())

    return run_process("admin", settings, main, lifeline_fd)
