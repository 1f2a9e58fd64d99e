"""The accounts of a simulation: found or created, paid into, and at the end compared with what the operator shows."""

from __future__ import annotations

import secrets
import time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from seamless_wallet.clients.admin_api import AdminError, PlayerState
from seamless_wallet.clients.back_office_ports import ActionUnavailable, AdminApiPort, BackOfficeError, BackOfficePort
from seamless_wallet.clients.provider_events import TransactionIds, new_event
from seamless_wallet.clients.target import Target, TargetError
from seamless_wallet.clients.webhook import WebhookError
from seamless_wallet.commands import Code, Command, Kind
from seamless_wallet.money import AmountError, format_minor, parse_minor, to_minor
from seamless_wallet.simulator.webhook_caller import WebhookCaller


class Account(msgspec.Struct, frozen=True):
    """A player as a simulation finds them. Amounts are minor units."""

    user_id: str
    currency: str
    balance: int
    debt: int = 0


class ShownState(msgspec.Struct, frozen=True):
    """What the back office shows of a player, in major units; of a `debt` not every back office knows."""

    balance: str
    debt: str | None = None


class Accounts:
    """What a simulation asks of the back office; of the webhook, where there is none."""

    def __init__(self, target: Target, port: BackOfficePort, webhook: WebhookCaller) -> None:
        self._target = target
        self._port = port
        self._webhook = webhook
        self._ids = TransactionIds("sim", secrets.randbelow)

    @property
    def _admin_port(self) -> AdminApiPort | None:
        """Our admin API, if the wallet has one: it tells more than a hook."""
        return self._port if isinstance(self._port, AdminApiPort) else None

    # ------------------------------------------------------------------ players

    async def find(self, user_id: str) -> Account:
        """A player who exists, is active and owes nothing that is not known. Raises TargetError."""
        if self._admin_port is None:
            return await self._find_by_login(user_id)
        try:
            return self._checked(await self._admin_port.admin.show(user_id))
        except AdminError as error:
            raise TargetError(f"{user_id}: {error}") from None

    def _checked(self, found: PlayerState) -> Account:
        currencies, name = self._target.provider.currencies, self._target.provider.name
        if found.currency not in currencies:
            raise TargetError(
                f"{found.user_id} has {found.currency}, and provider {name} is not configured for {found.currency}; "
                "name another player"
            )
        if found.status != "active":
            raise TargetError(f"{found.user_id} is {found.status}: unblock the player, or name another one")
        scale = currencies[found.currency]
        return Account(found.user_id, found.currency, parse_minor(found.balance, scale), parse_minor(found.debt, scale))

    async def _find_by_login(self, user_id: str) -> Account:
        """What the answer to a login tells is the balance."""
        scale = self._target.scale
        login = self.login(user_id)
        try:
            reply, problem, _ = await self._webhook.send(login, scale, self._webhook.name_of(login))
        except WebhookError as error:
            raise TargetError(f"the login of {user_id}: {error}") from None
        if reply is None or reply.code is not Code.R0 or reply.latest_balance is None:
            told = problem or (reply and reply.code.value)
            raise TargetError(f"the login of {user_id}: expected R0 with latest_balance; got {told}")
        try:
            return Account(user_id, self._target.currency, to_minor(reply.latest_balance, scale))
        except AmountError as error:
            raise TargetError(
                f"latest_balance {reply.latest_balance} of {user_id}: {error}; pass another --scale or --player"
            ) from None

    def login(self, user_id: str) -> Command:
        """A login, now."""
        return new_event(
            Kind.LOGIN,
            provider=self._target.provider.name,
            user_id=user_id,
            transaction_id=self._ids.new(Kind.LOGIN),
            timestamp_ms=int(time.time()) * 1000,
            feedback_data=user_id,
        )

    async def create(self, user_id: str, balance: int) -> Account:
        """A new player with this much money. Raises BackOfficeError."""
        account = Account(user_id, self._target.currency, balance)
        await self._port.do("create", user_id, account.currency)
        await self._port.do("deposit", user_id, account.currency, format_minor(balance, self._target.scale))
        return account

    # ------------------------------------------------------------------ money

    async def deposit(self, account: Account, amount: str) -> None:
        """Pay in an amount in major units. Raises BackOfficeError; ActionUnavailable if it cannot be done here."""
        await self._port.do("deposit", account.user_id, account.currency, amount)

    async def shown(self, account: Account) -> ShownState:
        """What the back office shows. Raises BackOfficeError."""
        if self._admin_port is None:
            return ShownState(await self._port.do("balance", account.user_id, account.currency))
        try:
            found = await self._admin_port.admin.show(account.user_id)
        except AdminError as error:
            raise BackOfficeError(str(error)) from None
        return ShownState(found.balance, found.debt)

    async def trial_balance(self) -> dict[str, Any]:
        """The sums of all accounts, as our admin API puts them. Raises BackOfficeError."""
        if self._admin_port is None:
            raise ActionUnavailable("the back office has no trial balance")
        try:
            return await self._admin_port.admin.trial_balance()
        except AdminError as error:
            raise BackOfficeError(str(error)) from None


def is_amount(text: str, minor: int, scale: int) -> bool:
    """Whether a text is this amount, however many zeros stand at its end."""
    try:
        return to_minor(Decimal(text), scale) == minor
    except (AmountError, InvalidOperation):
        return False
