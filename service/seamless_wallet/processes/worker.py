"""A worker: answers webhooks."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

from aiohttp import web

from seamless_wallet.commands import Policy
from seamless_wallet.http_server.aiohttp_internals import serve
from seamless_wallet.processes.assembly import wallet_core
from seamless_wallet.processes.runtime import Lifetime, connections_max, open_ledger, run_process
from seamless_wallet.providers import Provider, configure
from seamless_wallet.settings import ProviderSettings, Settings, SettingsError
from seamless_wallet.supervisor.data_directory import BACKLOG, listen
from seamless_wallet.webhook.endpoint import build_app


def build_providers(settings: Settings) -> dict[str, Provider]:
    """The configured providers by name. Raises SettingsError."""
    return {name: _provider(name, given, settings) for name, given in settings.providers.items()}


def _provider(name: str, given: ProviderSettings, settings: Settings) -> Provider:
    scales = settings.currencies
    policy = Policy(
        session_required=given.session == "required",
        session_ms=settings.session_s * 1000,
        session_grace_ms=settings.session_grace_ms,
        cancel_unknown=given.cancel_unknown,
        change_overdraw=given.change_overdraw,
    )
    previous = given.previous_api_key
    try:
        return configure(
            name=name,
            api_id=given.api_id,
            api_key=given.api_key.get_secret_value(),
            previous_api_key=previous.get_secret_value() if previous else "",
            currencies={currency: scales[currency] for currency in given.currencies or scales},
            scales=scales,
            profile=given.profile,
            cipher=given.cipher,
            key_encoding=given.key_encoding,
            reply_body=given.reply_body,
            policy=policy,
            allow=given.allow,
        )
    except ValueError as error:
        raise SettingsError(f"providers.{name}: {error}") from None


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
