"""One simulated player: sends events, repeats them until they are decided, checks every answer.

A player's events are sent one after the other, so that each answer is known exactly beforehand, whatever happened to
the attempts before it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final, NoReturn

import msgspec

from seamless_wallet.clients.back_office_ports import ActionUnavailable, BackOfficeError
from seamless_wallet.clients.provider_events import TransactionIds, new_event
from seamless_wallet.clients.webhook import NotAReply
from seamless_wallet.commands import Code, Command, Item, Kind
from seamless_wallet.errors import WalletError
from seamless_wallet.money import AmountError, format_minor, to_minor
from seamless_wallet.providers import Echo, Reply
from seamless_wallet.simulator.accounts import Account, Accounts, is_amount
from seamless_wallet.simulator.chaos import Chaos
from seamless_wallet.simulator.oracle import Oracle, Ruling
from seamless_wallet.simulator.simulation_report import Mismatch, SimulationReport
from seamless_wallet.simulator.webhook_caller import WebhookCaller

PAUSE_FIRST_S: Final = 0.05
PAUSE_MAX_S: Final = 1.0
HISTORY_MAX: Final = 32

OnDeposit = Callable[[str, str, str], None]
"""Told of money that a player got to play with: user_id, currency, amount in major units."""


class WrongAnswer(WalletError):
    """An answer was wrong: from here on nothing can be predicted for this player."""


class Limits(msgspec.Struct, frozen=True):
    """`retry_s`: how long an event is repeated. `decline_memory_s`: how long the wallet keeps a decline at least."""

    retry_s: float = 30.0
    decline_memory_s: float = 3600.0


class SimulatedPlayer:
    """A player with money, a random generator of their own, and an oracle that knows which answers are due."""

    def __init__(
        self,
        *,
        account: Account,
        oracle: Oracle,
        rng: Random,
        webhook: WebhookCaller,
        accounts: Accounts,
        report: SimulationReport,
        chaos: Chaos,
        limits: Limits,
        is_new: bool,
        on_deposit: OnDeposit = lambda _user_id, _currency, _amount: None,
    ) -> None:
        self.user_id = account.user_id
        self.currency = account.currency
        self.scale = webhook.provider.scales[account.currency]
        self.oracle = oracle
        self.rng = rng
        self.chaos = chaos
        self.is_new = is_new
        self._on_deposit = on_deposit
        self.report = report
        self._webhook = webhook
        self._account = account
        self._accounts = accounts
        self._limits = limits
        self._history: deque[Command] = deque(maxlen=HISTORY_MAX)
        self._declined_at_s: dict[str, float] = {}
        self._ids = TransactionIds("sim", rng.randrange)
        self._games = 0
        self._began_ms = time.time_ns() // 1_000_000

    # ------------------------------------------------------------------ events

    def chance(self, probability: float) -> bool:
        """Whether it happens this time. Draws once in any case, so that the choices after it stay the same."""
        return self.rng.random() < probability

    def now_ms(self) -> int:
        """The provider's clock, which counts seconds."""
        return time.time_ns() // 1_000_000_000 * 1000

    def next_game(self) -> str:
        """A round number that this player never had."""
        self._games += 1
        return f"{self._began_ms}-{self._games}"

    def transaction_id(self, kind: Kind) -> str:
        """A new one, in the provider's form."""
        return self._ids.new(kind)

    def event(self, kind: Kind, game_no: str = "", items: tuple[Item, ...] = (), timestamp_ms: int = 0) -> Command:
        """A new event of this player; without a timestamp, now."""
        return new_event(
            kind,
            provider=self._webhook.provider.name,
            user_id=self.user_id,
            transaction_id=self.transaction_id(kind),
            timestamp_ms=timestamp_ms or self.now_ms(),
            feedback_data=f"{self.user_id}:{self._games}",
            currency=self.currency,
            game_no=game_no,
            items=items,
        )

    async def send(self, command: Command) -> Code:
        """Send an event until it is decided and check the decision; then, sometimes, repeat one. Raises WrongAnswer."""
        code = await self._send_once(command)
        if code is not Code.R1:
            self._history.append(command)
        if self._history and self.chance(self.chaos.repeated):
            earlier = command if self.chance(0.5) else self.rng.choice(self._history)
            if earlier.kind is Kind.BET and not self.oracle.logged_in:
                earlier = command  # for a while after the logout a bet may be taken or not: that cannot be predicted
            was_in = self.oracle.logged_in
            await self._send_once(self._repetition(earlier))
            if was_in and not self.oracle.logged_in:  # that was a logout, and newer than the login
                await self._send_once(self.event(Kind.LOGIN))
        return code

    def _repetition(self, command: Command) -> Command:
        """The same again: unchanged, with a new timestamp, or as a new event under another id."""
        form = self.rng.randrange(3)
        if form == 0:
            return command
        later = command.timestamp_ms + 1000
        if form == 1 and command.kind not in {Kind.LOGIN, Kind.LOGOUT}:
            context = {**command.context, "feedback_data": "again"}
            return msgspec.structs.replace(command, timestamp_ms=later, context=context)
        return msgspec.structs.replace(command, transaction_id=self.transaction_id(command.kind))

    async def _send_once(self, command: Command) -> Code:
        names = self._webhook.provider.profile.event_names[command.kind]
        event_type = self.rng.choice(names) if len(names) > 1 else names[0]
        ruling = self.oracle.judge(command)
        reply = await self._deliver(command, event_type, ruling)
        if reply.code is not ruling.code and ruling.remembered and self._may_be_forgotten(command):
            self.report.forgotten += 1
            ruling = self.oracle.judge_afresh(command)
        if ruling.code is not Code.R0:
            self._declined_at_s.setdefault(command.transaction_id, time.monotonic())
        wrong = self._wrong(command, event_type, ruling, reply)
        if wrong:
            self._give_up(command, event_type, ruling, *wrong)
        return reply.code

    def _may_be_forgotten(self, command: Command) -> bool:
        """A decline lives in Redis only: it goes with a Redis that was lost, and after the hot window (row 6)."""
        age_s = time.monotonic() - self._declined_at_s.get(command.transaction_id, 0.0)
        return self.report.disturbed or age_s > self._limits.decline_memory_s

    # ------------------------------------------------------------------ money

    async def deposit(self, amount: int) -> bool:
        """Have the back office pay money in; False if it cannot do that. Raises WrongAnswer if it fails."""
        text = format_minor(amount, self.scale)
        try:
            await self._accounts.deposit(self._account, text)
        except ActionUnavailable:
            return False
        except BackOfficeError as error:
            self.report.mismatch(Mismatch(self.user_id, "deposit", "done", str(error)))
            raise WrongAnswer from None
        self.oracle.deposit(amount)
        self._on_deposit(self.user_id, self.currency, text)
        return True

    async def check_state(self) -> None:
        """Compare balance and debt with what the back office shows, if it shows them."""
        try:
            shown = await self._accounts.shown(self._account)
        except ActionUnavailable as missing:
            self.report.not_compared = str(missing)
            return
        except BackOfficeError as error:
            self.report.mismatch(Mismatch(self.user_id, "state at the end", "known", str(error)))
            return
        for what, minor, told in (
            ("balance", self.oracle.balance, shown.balance),
            ("debt", self.oracle.debt, shown.debt),
        ):
            if told is not None and not is_amount(told, minor, self.scale):
                expected = f"{what} {format_minor(minor, self.scale)}"
                self.report.mismatch(Mismatch(self.user_id, "state at the end", expected, f"{what} {told[:80]}"))

    # ------------------------------------------------------------------ answers

    async def _deliver(self, command: Command, event_type: str, ruling: Ruling) -> Reply:
        """Until R0, R2, R3, R4, or the R1 that is due. No answer, or another R1, tells nothing: the same again."""
        give_up_s = time.monotonic() + self._limits.retry_s
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                reply, problem, seconds = await self._webhook.send(command, self.scale, event_type)
            except NotAReply as error:
                self._give_up(command, event_type, ruling, "a sealed reply", str(error))
            if reply is not None and (reply.code is not Code.R1 or ruling.code is Code.R1):
                self.report.answered(event_type, reply.code, seconds)
                if reply.code is Code.R0:
                    self.report.acknowledge(event_type, command, str(reply.latest_balance))
                return reply
            self.report.unanswered += reply is None
            if time.monotonic() + pause_s > give_up_s:
                last = problem or "R1"
                got = f"no decision within {self._limits.retry_s:g} s: {last}"
                self._give_up(command, event_type, ruling, ruling.code.value, got)
            self.report.retries += 1
            await asyncio.sleep(pause_s)
            pause_s = min(PAUSE_MAX_S, 2 * pause_s)

    def _wrong(self, command: Command, event_type: str, ruling: Ruling, reply: Reply) -> tuple[str, str] | None:
        """What was due and what came instead, if anything."""
        balance = format_minor(ruling.balance, self.scale)
        if reply.code is not ruling.code:
            return f"{ruling.code.value}, balance {balance}", f"{reply.code.value}, balance {reply.latest_balance}"
        if reply.latest_balance is None:
            required = reply.code is Code.R0  # the provider's guide leaves it open with every other code
            return (f"{ruling.code.value}, balance {balance}", "no latest_balance") if required else None
        try:
            minor = to_minor(reply.latest_balance, self.scale)
        except AmountError:
            minor = -1
        if minor != ruling.balance:
            return f"{ruling.code.value}, balance {balance}", f"balance {reply.latest_balance}"
        sent = self._webhook.echo_of(command, self.scale, event_type)
        echoed = Echo(reply.event_type, reply.timestamp, reply.user_id)
        return None if echoed == sent else (f"{sent}", f"{echoed}")

    def _give_up(self, command: Command, event_type: str, ruling: Ruling, expected: str, got: str) -> NoReturn:
        self.report.mismatch(Mismatch(self.user_id, event_type, expected, got, command.transaction_id, ruling.row))
        raise WrongAnswer
