"""The admin process: back office, health and metrics, on a port of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack

from seamless_wallet.backoffice import build_app
from seamless_wallet.processes.assembly import wallet_core
from seamless_wallet.processes.runtime import Lifetime, open_ledger, run_process
from seamless_wallet.processes.worker import serve_http
from seamless_wallet.settings import Settings, admin_token


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
