"""One run of the simulator: makes the players, lets them play side by side, compares the end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from seamless_wallet.clients.back_office_ports import ActionUnavailable, BackOfficeError
from seamless_wallet.clients.login_probe import trouble_with
from seamless_wallet.clients.target import Target, TargetError, check_target, open_back_office
from seamless_wallet.clients.webhook import WebhookClient, WebhookError
from seamless_wallet.money import format_minor
from seamless_wallet.simulator.accounts import Account, Accounts
from seamless_wallet.simulator.chaos import Chaos
from seamless_wallet.simulator.oracle import Oracle
from seamless_wallet.simulator.rounds import BANKROLL, play
from seamless_wallet.simulator.simulated_player import Limits, OnDeposit, SimulatedPlayer, WrongAnswer
from seamless_wallet.simulator.simulation_report import Mismatch, SimulationReport
from seamless_wallet.simulator.webhook_caller import OnExchange, WebhookCaller

_PROGRESS_S: Final = 0.1


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What to play. Players who are given with the target play in place of new ones, and nobody else may play as them.

    `retry_s`: for how long an event without a decision is sent again.
    """

    target: Target
    seed: int
    players: int = 10
    rounds: int = 10
    concurrency: int = 16
    chaos: Chaos = Chaos()
    retry_s: float = 30.0
    acks: Path | None = None

    @property
    def player_count(self) -> int:
        """How many play."""
        return len(self.target.given_players) or self.players


async def simulate(
    simulation: Simulation,
    *,
    on_round: Callable[[int], None] = lambda _done: None,
    on_exchange: OnExchange | None = None,
    on_deposit: OnDeposit = lambda _user_id, _currency, _amount: None,
) -> dict[str, Any]:
    """Play, and sum up; `ok` says whether everything was as it ought to be.

    Raises TargetError if there is nothing to play with, and BackOfficeError if a player cannot be made.
    """
    target = simulation.target
    check_target(target)
    async with AsyncExitStack() as stack:
        client = WebhookClient(
            target.provider,
            target.url,
            timeout_s=target.timeout_s,
            connections_max=simulation.concurrency,
            tls=target.tls,
        )
        webhook = WebhookCaller(await stack.enter_async_context(client), on_exchange)
        port = await open_back_office(target, stack, patience_s=simulation.retry_s, persistent=True)
        acks = stack.enter_context(simulation.acks.open("a", encoding="utf-8")) if simulation.acks else None
        accounts = Accounts(target, port, webhook)
        run = _Run(simulation, webhook, accounts, SimulationReport(acks), on_round, on_deposit)
        await run.probe(client)
        return await run.play()


def _first_of(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Run:
    def __init__(
        self,
        simulation: Simulation,
        webhook: WebhookCaller,
        accounts: Accounts,
        report: SimulationReport,
        on_round: Callable[[int], None],
        on_deposit: OnDeposit,
    ) -> None:
        self._simulation = simulation
        self._target = simulation.target
        self._webhook = webhook
        self._accounts = accounts
        self._report = report
        self._on_round = on_round
        self._on_deposit = on_deposit
        self._name = f"sim-{secrets.token_hex(4)}"
        self._given: list[Account] = []

    async def probe(self, client: WebhookClient) -> None:
        """Find the given players, and see whether there is a webhook at all. Raises TargetError with one line."""
        trouble = await self._trouble_with(client, f"{self._name}-nobody")
        told = TargetError(f"{self._target.shown_url}{trouble}")
        try:
            self._given = [await self._accounts.find(user_id) for user_id in self._target.given_players]
        except TargetError:
            if trouble:
                raise told from None
            raise
        if trouble:  # a wallet that is only wrong about strangers is played
            known = self._given[0] if self._given else await self._created(-1)
            if await self._trouble_with(client, known.user_id):
                raise told

    async def _trouble_with(self, client: WebhookClient, user_id: str) -> str:
        """What is wrong with the answer to a login, if anything."""
        login = self._accounts.login(user_id)
        try:
            trouble = await trouble_with(client, self._webhook.text_of(login, self._target.scale))
        except WebhookError as error:
            return f": {error}"
        return f" {trouble}" if trouble else ""

    async def play(self) -> dict[str, Any]:
        numbers = iter(range(self._simulation.player_count))
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
        except* BackOfficeError as errors:
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
            "players": ", ".join(self._target.given_players) or f"{self._name}-*",
            "url": self._target.shown_url,
            **self._report.summary(elapsed_s),
            "trial_balance": trial_balance,
        }

    async def _visit(self, number: int) -> None:
        """All of one player."""
        account = self._given[number] if self._given else await self._created(number)
        player = SimulatedPlayer(
            account=account,
            oracle=Oracle(self._target.choices.policy, account.balance, account.debt),
            rng=Random(f"{self._simulation.seed}/{number}"),
            webhook=self._webhook,
            accounts=self._accounts,
            report=self._report,
            chaos=self._simulation.chaos,
            limits=Limits(self._simulation.retry_s, self._target.decline_memory_s),
            is_new=not self._given,
            on_deposit=self._on_deposit,
        )
        try:
            await play(player, self._simulation.rounds)
        except WrongAnswer:
            return
        await player.check_state()

    async def _created(self, number: int) -> Account:
        bankroll = BANKROLL * 10**self._target.scale
        account = await self._accounts.create(f"{self._name}-{number + 1:04d}", bankroll)
        self._on_deposit(account.user_id, account.currency, format_minor(bankroll, self._target.scale))
        return account

    async def _trial_balance(self) -> dict[str, Any]:
        """The total of each currency; all accounts must sum to zero, whatever happened."""
        try:
            sums = await self._accounts.trial_balance()
        except ActionUnavailable:
            return {}
        except BackOfficeError as error:
            self._report.mismatch(Mismatch("", "trial balance", "balanced", str(error)))
            return {}
        for currency, accounts in sums["currencies"].items():
            if not accounts["balanced"]:
                self._report.mismatch(Mismatch("", f"trial balance in {currency}", "0", str(accounts["total"])))
        return {currency: accounts["total"] for currency, accounts in sums["currencies"].items()}

    async def _tell_progress(self) -> None:
        """Tell how many rounds are done, a few times a second."""
        while True:
            await asyncio.sleep(_PROGRESS_S)
            self._on_round(self._report.rounds)
