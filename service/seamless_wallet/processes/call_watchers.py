"""Who is told of single calls: nobody, unless the settings ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from seamless_wallet.errors import SettingsError
from seamless_wallet.ports import Clock
from seamless_wallet.settings import Settings
from seamless_wallet.webhook.call_phases import CallWatcher
from seamless_wallet.webhook.decision_log import DecisionLog


@asynccontextmanager
async def call_watchers(settings: Settings, clock: Clock) -> AsyncIterator[Sequence[CallWatcher]]:
    """The watchers, until the context ends. Raises SettingsError if there are to be spans, and no OpenTelemetry."""
    watchers: list[CallWatcher] = [DecisionLog()] if settings.log_level == "DEBUG" else []
    if settings.traces == "off":
        yield watchers
        return
    try:
        from seamless_wallet.processes.call_spans import CallSpans  # noqa: PLC0415 - not there without the extra
    except ImportError as error:
        raise SettingsError(
            f"WALLET_TRACES: {error.name} is missing; run `pip install 'seamless-wallet[otel]'`, or set it to off"
        ) from None
    spans = CallSpans(clock)
    try:
        yield [*watchers, spans]
    finally:
        await asyncio.to_thread(spans.close)
