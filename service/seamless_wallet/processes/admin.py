"""The admin process: back office, health and metrics, on a port of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from seamless_wallet.access_roles import ADMIN_NAME, AccessRole, TokenHolder, token_digest
from seamless_wallet.backoffice import backoffice_app
from seamless_wallet.commands import BACK_OFFICE
from seamless_wallet.observability import metrics
from seamless_wallet.observability.collector import Collector
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.processes.action_log import kept_actions
from seamless_wallet.processes.assembly import AssembledWallet, assembled_wallet
from seamless_wallet.processes.call_decoder import RecordedRequests
from seamless_wallet.processes.call_history import CallCollection, open_calls, recorded_calls
from seamless_wallet.processes.event_loop import run_process
from seamless_wallet.processes.http_service import ListeningSocket, accept_when_ready, http_server
from seamless_wallet.processes.lag import LagMonitor
from seamless_wallet.processes.ledger_connection import open_ledger
from seamless_wallet.processes.ledger_gauges import READ_REST_FACTOR, LedgerGauges, PlayGauges, TrialBalanceGauges
from seamless_wallet.processes.ledger_watch import LedgerWatch
from seamless_wallet.processes.lifetime import Generation
from seamless_wallet.processes.measuring import measuring
from seamless_wallet.processes.provider_accounts import build_providers
from seamless_wallet.processes.readiness import Readiness
from seamless_wallet.processes.redis_gauges import RedisGauges
from seamless_wallet.settings import Settings, admin_token
from seamless_wallet.wallet.anomalies import begin_anomaly_counts

BACKLOG_EVERY_S: Final = 1.0
GAUGES_EVERY_S: Final = 5.0
SESSIONS_EVERY_S: Final = 30.0


def run_admin(settings: Settings, *, fd: int | None = None, standby: bool = False, parent_fd: int | None = None) -> int:
    """Serve the back office until told to stop. `fd` is a listening socket of the parent. Returns the exit status.

    It answers from the start, and says what is missing; but not in `standby`, where another process answers on the same
    socket.
    """
    port = ListeningSocket("WALLET_ADMIN", fd)

    async def main(settings: Settings, generation: Generation, counters: ProcessCounters) -> None:
        holders = [_admin(settings), *(token.holder(name) for name, token in settings.tokens.items())]
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(settings))
            account_sums = await stack.enter_async_context(open_ledger(settings, readers=1, for_people=True))
            probed = await stack.enter_async_context(open_ledger(settings, readers=1, for_people=True))
            assembled = await stack.enter_async_context(assembled_wallet(settings, ledger))
            collector = Collector(settings.run_dir, counters)
            await stack.enter_async_context(collector.running())
            readiness = Readiness(assembled.pipeline, probed, generation.lifetime)
            await stack.enter_async_context(readiness.asking())
            calls = await stack.enter_async_context(open_calls(settings))
            collection = CallCollection(calls, settings, assembled.clock)
            await stack.enter_async_context(collection.running())
            recorder = await stack.enter_async_context(recorded_calls(settings, assembled.clock, assembled.randomness))
            app = backoffice_app(
                wallet=assembled.wallet,
                ledger=ledger,
                history=ledger,
                account_sums=account_sums,
                clock=assembled.clock,
                randomness=assembled.randomness,
                scales=settings.currencies,
                holders=holders,
                readiness=readiness.components,
                exposition=collector.exposition,
                calls=calls,
                actions=await stack.enter_async_context(kept_actions(settings, assembled.clock)),
                call_decoder=RecordedRequests(build_providers(settings), assembled.clock),
                recorder=recorder,
            )
            await stack.enter_async_context(_gauges(settings, assembled))
            if settings.verify_every_s:
                verified = await stack.enter_async_context(open_ledger(settings, readers=1, for_people=True))
                watch = LedgerWatch(verified, settings.ledger_path, assembled.clock)
                await stack.enter_async_context(watch.running(settings.verify_every_s))
                balances = TrialBalanceGauges(verified, assembled.clock)
                measuring_balances = measuring(balances.measure, settings.verify_every_s, READ_REST_FACTOR)
                await stack.enter_async_context(measuring_balances)
            listener = port.share(settings.admin_host, settings.admin_port, may_be_plain=settings.may_be_plain)
            server = await http_server(stack, app, listener, settings, settings.admin_tls())

            async def become_ready() -> None:
                await accept_when_ready(server, assembled, generation.take_over, patience_s=0.0)
                await readiness.was_ok.wait()

            await generation.run_until_ended(become_ready(), lambda: assembled.is_ready, port.close)

    return run_process("admin", settings, main, parent_fd, standby=standby)


def _admin(settings: Settings) -> TokenHolder:
    """Who holds the admin token."""
    return TokenHolder(ADMIN_NAME, AccessRole.ADMIN, token_digest(admin_token(settings).get_secret_value()))


@asynccontextmanager
async def _gauges(settings: Settings, assembled: AssembledWallet) -> AsyncIterator[None]:
    """Measure what no process counts by itself, with a reader of the ledger that nothing else waits for."""
    for currency, digits in settings.currencies.items():
        metrics.CURRENCY_DIGITS.labels(currency).set(digits)
    begin_anomaly_counts([BACK_OFFICE])
    pipeline, clock = assembled.pipeline, assembled.clock
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(settings, readers=1, for_people=True))
        wallets = await stack.enter_async_context(open_ledger(settings, readers=1, for_people=True))
        play = PlayGauges(wallets, clock, settings.session_s * 1000, settings.providers)
        for measure, every_s in (
            (LagMonitor(pipeline, ledger, clock).measure, BACKLOG_EVERY_S),
            (RedisGauges(pipeline, ledger, clock).measure, GAUGES_EVERY_S),
            (LedgerGauges(settings.ledger_path.parent, ledger, clock).measure, GAUGES_EVERY_S),
            (play.measure_bets, GAUGES_EVERY_S),
            (play.measure_sessions, SESSIONS_EVERY_S),
        ):
            await stack.enter_async_context(measuring(measure, every_s, READ_REST_FACTOR))
        yield
