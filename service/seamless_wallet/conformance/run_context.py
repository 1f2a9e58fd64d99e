"""What all cases of a run share: the webhook, the back office, and how the wallet's operator configured it."""

from __future__ import annotations

import itertools
import secrets
import time

from seamless_wallet.clients.back_office_ports import BackOfficePort
from seamless_wallet.clients.provider_events import TransactionIds
from seamless_wallet.clients.target import OperatorChoices
from seamless_wallet.clients.webhook import WebhookClient


class RunContext:
    """One run. `given_players` are existing players, who serve one case after the other; without any, new ones do."""

    def __init__(
        self,
        webhook: WebhookClient,
        back_office: BackOfficePort,
        *,
        currency: str,
        scale: int,
        choices: OperatorChoices,
        given_players: tuple[str, ...] = (),
    ) -> None:
        self.webhook = webhook
        self.back_office = back_office
        self.currency = currency
        self.scale = scale
        self.choices = choices
        self.given_players = given_players
        self.player_refusal = ""
        """Why the back office makes no ordinary player. It is not asked for another one."""
        self.extra_funds = itertools.count(1)
        """Minor units beyond what a case asks for, another number for each player."""
        tag = secrets.token_hex(4)
        self.transaction_ids = TransactionIds(tag, secrets.randbelow)
        self._unique_ids = (f"{tag}-{number}" for number in itertools.count(1))
        self._newest_logins_s: dict[str, int] = {}

    def unique_id(self) -> str:
        """An id that nobody had."""
        return next(self._unique_ids)

    def newest_login_s(self, user_id: str, *, renew: bool = True) -> int:
        """The timestamp, in epoch seconds, of a player's newest login. `renew`: of one that is about to be sent.

        That is now, or the newest one so far if that is later.
        """
        newest_s = self._newest_logins_s.get(user_id, int(time.time()))
        if renew:
            newest_s = self._newest_logins_s[user_id] = max(newest_s, int(time.time()))
        return newest_s
