"""The admin process: back office, health and metrics, on a port of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack

from seamless_wallet.backoffice import backoffice_app
from seamless_wallet.observability.collector import Collector
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.processes.assembly import assembled_wallet
from seamless_wallet.processes.event_loop import run_process
from seamless_wallet.processes.http_service import serve_http
from seamless_wallet.processes.ledger_connection import open_ledger
from seamless_wallet.processes.lifetime import Lifetime
from seamless_wallet.settings import Settings, admin_token


def run_admin(settings: Settings, *, fd: int | None = None, parent_fd: int | None = None) -> int:
    """Serve the back office until told to stop. `fd` is a listening socket of the parent. Returns the exit status."""

    async def main(lifetime: Lifetime, counters: ProcessCounters) -> None:
        token = admin_token(settings)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(settings))
            account_sums = await stack.enter_async_context(open_ledger(settings, readers=1))
            assembled = await stack.enter_async_context(assembled_wallet(settings, ledger))
            collector = Collector(settings.run_dir, counters)
            await stack.enter_async_context(collector.running())
            app = backoffice_app(
                wallet=assembled.wallet,
                ledger=ledger,
                account_sums=account_sums,
                clock=assembled.clock,
                randomness=assembled.randomness,
                scales=settings.currencies,
                token=token.get_secret_value(),
                readiness=assembled.readiness,
                exposition=collector.exposition,
            )
            await serve_http(stack, app, fd, settings.admin_host, settings.admin_port, "WALLET_ADMIN")
            await lifetime.run_until_stopped(assembled.wait_until_ready())

    return run_process("admin", settings, main, parent_fd)
