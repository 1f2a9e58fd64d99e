"""A worker: answers webhooks."""

from __future__ import annotations

from contextlib import AsyncExitStack

from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.processes.assembly import assembled_wallet
from seamless_wallet.processes.event_loop import run_process
from seamless_wallet.processes.http_service import serve_http
from seamless_wallet.processes.ledger_connection import open_ledger
from seamless_wallet.processes.lifetime import Lifetime
from seamless_wallet.processes.provider_accounts import build_providers
from seamless_wallet.settings import Settings
from seamless_wallet.webhook.endpoint import webhook_app


def run_worker(settings: Settings, *, fd: int | None = None, parent_fd: int | None = None) -> int:
    """Answer webhooks until told to stop. `fd` is a listening socket of the parent. Returns the exit status."""

    async def main(lifetime: Lifetime, _: ProcessCounters) -> None:
        providers = build_providers(settings)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(settings))
            assembled = await stack.enter_async_context(assembled_wallet(settings, ledger))
            app = webhook_app(
                providers,
                assembled.wallet,
                body_bytes_max=settings.body_bytes_max,
                clock=assembled.clock,
                trusted_proxies=settings.trusted_proxies,
            )
            await serve_http(stack, app, fd, settings.webhook_host, settings.webhook_port, "WALLET_WEBHOOK")
            await lifetime.run_until_stopped(assembled.wait_until_ready())

    return run_process("worker", settings, main, parent_fd)
