"""Sends a simulated player's events, times each call, and shows it to whoever looks on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from seamless_wallet.clients.webhook import NoAnswer, WebhookClient, WrongStatus
from seamless_wallet.commands import Command
from seamless_wallet.providers import Echo, Provider, Reply

OnExchange = Callable[[bytes, str, float], None]
"""Is told of every call: the event's text, the reply's text or why there is none, and the seconds it took."""


class CallOutcome(NamedTuple):
    """What came of one call. Without a reply nothing is known of the outcome, and `problem` says why."""

    reply: Reply | None
    problem: str
    seconds: float


class WebhookCaller:
    """One provider's events on their way to the webhook."""

    def __init__(self, client: WebhookClient, on_exchange: OnExchange | None = None) -> None:
        self._client = client
        self._on_exchange = on_exchange

    @property
    def provider(self) -> Provider:
        """Whose events these are."""
        return self._client.provider

    def name_of(self, command: Command) -> str:
        """The first name of an event's kind."""
        return self.provider.profile.event_names[command.kind][0]

    def text_of(self, command: Command, scale: int) -> bytes:
        """An event as the profile writes it, under its first name."""
        return self.provider.profile.encode_event(command, scale, self.name_of(command))

    def echo_of(self, command: Command, scale: int, event_type: str) -> Echo:
        """What the reply to this event has to repeat: what was sent, with a timestamp in the unit of the format.

        The profile is not asked: it is on trial, like the wallet.
        """
        text = self.provider.profile.encode_event(command, scale, event_type)
        in_ms = re.search(rb"(?<![\w.-])%d(?![\w.-])" % command.timestamp_ms, text)
        return Echo(event_type, command.timestamp_ms if in_ms else command.timestamp_ms // 1000, command.user_id)

    async def send(self, command: Command, scale: int, event_type: str) -> CallOutcome:
        """One attempt. `scale` is that of the command's currency. Raises NotAReply."""
        client = self._client
        text = client.provider.profile.encode_event(command, scale, event_type)
        opened, problem = b"", ""
        body = client.seal(text)
        began_s = time.perf_counter()
        try:
            opened = client.open(await client.post(body))
        except (NoAnswer, WrongStatus) as error:
            problem = str(error)
        seconds = time.perf_counter() - began_s
        reply = None if problem else client.read(opened)
        if self._on_exchange:
            self._on_exchange(text, problem or opened.decode(errors="replace"), seconds)
        return CallOutcome(reply, problem, seconds)
