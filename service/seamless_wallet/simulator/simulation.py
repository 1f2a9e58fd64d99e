"""One run of the simulator: makes the players, lets them play side by side, compares the end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec

from seamless_wallet.clients.admin_api import AdminClient, AdminError, PlayerState, check_access
from seamless_wallet.clients.webhook import WebhookClient, is_http_url
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.money import format_minor, parse_minor
from seamless_wallet.providers import Provider
from seamless_wallet.simulator.chaos import Chaos
from seamless_wallet.simulator.oracle import Oracle
from seamless_wallet.simulator.rounds import BANKROLL, play
from seamless_wallet.simulator.simulated_player import Limits, OnDeposit, SimulatedPlayer, WrongAnswer
from seamless_wallet.simulator.simulation_report import Mismatch, SimulationReport
from seamless_wallet.simulator.webhook_caller import OnExchange, WebhookCaller


class SimulationError(WalletError):
    """The simulation cannot begin. One line that says why."""

    exit_status = EXIT_FAILURE


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What to play. `user_id`: an existing player instead of new ones; nobody else may play with it meanwhile."""

    provider: Provider
    webhook_url: str
    admin_url: str
    admin_token: str
    seed: int
    currency: str = ""
    players: int = 10
    rounds: int = 10
    user_id: str = ""
    concurrency: int = 16
    chaos: Chaos = Chaos()
    limits: Limits = Limits()
    acks: Path | None = None


async def simulate(
    simulation: Simulation,
    *,
    on_round: Callable[[int], None] = lambda _done: None,
    on_exchange: OnExchange | None = None,
    on_deposit: OnDeposit = lambda _user_id, _currency, _amount: None,
) -> dict[str, Any]:
    """Play, and sum up; `ok` says whether everything was as it ought to be. Raises SimulationError or AdminError."""
    async with AsyncExitStack() as stack:
        url, provider = endpoint(simulation), simulation.provider
        client = WebhookClient(provider, url, connections_max=simulation.concurrency)
        webhook = WebhookCaller(await stack.enter_async_context(client), on_exchange)
        admin = await stack.enter_async_context(_admin(simulation))
        acks = stack.enter_context(simulation.acks.open("a", encoding="utf-8")) if simulation.acks else None
        await check_access(simulation.admin_url, simulation.admin_token, user_id=simulation.user_id)
        run = _Run(simulation, webhook, admin, SimulationReport(acks), on_round, on_deposit)
        return await run.play()


def endpoint(simulation: Simulation) -> str:
    """The webhook's URL: as given, with the provider's path if it has none. Raises SimulationError."""
    url = simulation.webhook_url
    if not is_http_url(url):
        raise SimulationError(f"{url!r} is not the http:// URL of a webhook")
    has_path = urlsplit(url).path.strip("/")
    return url if has_path else f"{url.rstrip('/')}/webhook/{simulation.provider.name}"


def _admin(simulation: Simulation) -> AdminClient:
    patience_s = simulation.limits.retry_s
    return AdminClient(simulation.admin_url, simulation.admin_token, patience_s=patience_s, persistent=True)


def _first_of(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Run:
    def __init__(
        self,
        simulation: Simulation,
        webhook: WebhookCaller,
        admin: AdminClient,
        report: SimulationReport,
        on_round: Callable[[int], None],
        on_deposit: OnDeposit,
    ) -> None:
        self._simulation = simulation
        self._webhook = webhook
        self._admin = admin
        self._report = report
        self._on_round = on_round
        self._on_deposit = on_deposit
        self._name = f"sim-{secrets.token_hex(4)}"

    async def play(self) -> dict[str, Any]:
        numbers = iter(range(1 if self._simulation.user_id else self._simulation.players))
        began_s = time.monotonic()

        async def play_on() -> None:
            for number in numbers:
                await self._visit(number)

        telling = asyncio.create_task(self._tell_progress())
        fault: BaseException | None = None  # raised outside of `except*`, which would wrap it in a group again
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._simulation.concurrency):
                    group.create_task(play_on())
        except* (SimulationError, AdminError) as errors:
            fault = _first_of(errors)
        finally:
            telling.cancel()
        if fault is not None:
            raise fault
        elapsed_s = time.monotonic() - began_s
        trial_balance = await self._trial_balance()
        return {
            "ok": self._report.mismatch_count == 0,
            "seed": self._simulation.seed,
            "players": self._simulation.user_id or f"{self._name}-*",
            "url": endpoint(self._simulation),
            **self._report.summary(elapsed_s),
            "trial_balance": trial_balance,
        }

    async def _visit(self, number: int) -> None:
        """All of one player."""
        rng = Random(f"{self._simulation.seed}/{number}")
        player = await self._player(number, rng)
        try:
            await play(player, self._simulation.rounds)
        except WrongAnswer:
            return
        await player.check_state()

    async def _player(self, number: int, rng: Random) -> SimulatedPlayer:
        """An existing player as they are, or a new one with money."""
        found = await self._existing() if self._simulation.user_id else await self._created(number)
        provider = self._webhook.provider
        scale = provider.currencies[found.currency]
        balance, debt = parse_minor(found.balance, scale), parse_minor(found.debt, scale)
        return SimulatedPlayer(
            user_id=found.user_id,
            currency=found.currency,
            oracle=Oracle(provider.policy, balance, debt),
            rng=rng,
            webhook=self._webhook,
            admin=self._admin,
            report=self._report,
            chaos=self._simulation.chaos,
            limits=self._simulation.limits,
            is_new=not self._simulation.user_id,
            on_deposit=self._on_deposit,
        )

    async def _existing(self) -> PlayerState:
        found = await self._admin.show(self._simulation.user_id)
        if found.currency not in self._webhook.provider.currencies:
            raise SimulationError(
                f"{found.user_id} has {found.currency}, which {self._webhook.provider.name} never sends"
            )
        if found.status != "active":
            raise SimulationError(f"{found.user_id} is {found.status}: unblock the player, or name another one")
        return found

    async def _created(self, number: int) -> PlayerState:
        currencies = self._webhook.provider.currencies
        currency = self._simulation.currency or next(iter(currencies))
        if currency not in currencies:
            raise SimulationError(f"{self._webhook.provider.name} never sends {currency}: only {', '.join(currencies)}")
        user_id = f"{self._name}-{number + 1:04d}"
        await self._admin.create(user_id, currency)
        scale = currencies[currency]
        bankroll = format_minor(BANKROLL * 10**scale, scale)
        await self._admin.deposit(user_id, bankroll, f"{user_id}-bankroll")
        self._on_deposit(user_id, currency, bankroll)
        return await self._admin.show(user_id)

    async def _trial_balance(self) -> dict[str, Any]:
        """The total of each currency; all accounts must sum to zero, whatever happened."""
        try:
            sums = await self._admin.trial_balance()
        except AdminError as error:
            self._report.mismatch(Mismatch("", "trial balance", "balanced", str(error)))
            return {}
        for currency, accounts in sums["currencies"].items():
            if not accounts["balanced"]:
                self._report.mismatch(Mismatch("", f"trial balance in {currency}", "0", str(accounts["total"])))
        return {currency: accounts["total"] for currency, accounts in sums["currencies"].items()}

    async def _tell_progress(self) -> None:
        """Tell how many rounds are done, a few times a second."""
        while True:
            await asyncio.sleep(0.1)
            self._on_round(self._report.rounds)
