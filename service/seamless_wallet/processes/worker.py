"""A worker: answers webhooks."""

from __future__ import annotations

from contextlib import AsyncExitStack

from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.processes.assembly import assembled_wallet
from seamless_wallet.processes.call_history import recorded_calls
from seamless_wallet.processes.call_watchers import call_watchers
from seamless_wallet.processes.event_loop import run_process
from seamless_wallet.processes.http_service import ListeningSocket, accept_when_ready, http_server
from seamless_wallet.processes.ledger_connection import open_ledger
from seamless_wallet.processes.lifetime import Generation
from seamless_wallet.processes.provider_accounts import build_providers
from seamless_wallet.settings import Settings
from seamless_wallet.wallet.anomalies import begin_anomaly_counts
from seamless_wallet.webhook.endpoint import webhook_app


def run_worker(
    settings: Settings, *, fd: int | None = None, standby: bool = False, parent_fd: int | None = None
) -> int:
    """Answer webhooks until told to stop. `fd` is a listening socket of the parent. Returns the exit status.

    It accepts calls when it is ready. Without Redis it accepts them as well, and answers R1; but not in `standby`,
    where another process answers on the same socket.
    """
    port = ListeningSocket("WALLET_WEBHOOK", fd)

    async def main(settings: Settings, generation: Generation, _: ProcessCounters) -> None:
        providers = build_providers(settings)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(settings))
            assembled = await stack.enter_async_context(assembled_wallet(settings, ledger))
            begin_anomaly_counts(providers)
            recorder = await stack.enter_async_context(recorded_calls(settings, assembled.clock, assembled.randomness))
            watchers = await stack.enter_async_context(call_watchers(settings, assembled.clock))
            app = webhook_app(
                providers,
                assembled.wallet,
                body_bytes_max=settings.body_bytes_max,
                clock=assembled.clock,
                trusted_proxies=settings.trusted_proxies,
                recorder=recorder,
                watchers=watchers,
            )
            listener = port.share(settings.webhook_host, settings.webhook_port, may_be_plain=settings.may_be_plain)
            server = await http_server(stack, app, listener, settings, settings.webhook_tls())
            generation.lifetime.connections = lambda: server.connections
            generation.lifetime.on_surplus = server.give_away
            becoming_ready = accept_when_ready(server, assembled, generation.take_over, settings.deadline_ms / 1000)
            await generation.run_until_ended(becoming_ready, lambda: assembled.is_ready, port.close)

    return run_process("worker", settings, main, parent_fd, standby=standby)
