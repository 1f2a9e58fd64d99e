"""What is known of one call, and what the history of calls gets to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamless_wallet.calls.record import TEXT_BYTES_MAX, CallRecord, decision_phases_us
from seamless_wallet.commands import ID_CHARS_MAX, Answer, Command
from seamless_wallet.ports import Clock
from seamless_wallet.providers import Echo, Ids, Key, Provider
from seamless_wallet.webhook.source_address import Networks, source_of

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.calls.ports import CallRecorder

KEY_NAMES: Final = ("current", "previous")
"""The labels of a provider's keys, in their order."""

_US: Final = 1_000_000


class Call:
    """What is known of one call so far. Moments are seconds of the monotonic clock."""

    __slots__ = (
        "answered_s",
        "arrived_s",
        "command",
        "decided_s",
        "echo",
        "ids",
        "key",
        "opened_s",
        "problem",
        "reply",
        "request",
        "sent_s",
        "started_s",
    )

    def __init__(self, arrived_s: float) -> None:
        self.arrived_s = arrived_s  # when its headers were read
        self.started_s = arrived_s  # when its body was read
        self.opened_s = 0.0  # when that was decrypted and decoded; 0: it did not come to that
        self.sent_s = 0.0  # when its last script was sent to Redis; 0: none was
        self.answered_s = 0.0  # when Redis had answered that script; 0: it did not
        self.decided_s = 0.0  # when the wallet had answered
        self.key: Key | None = None  # seals the reply; None: the caller has no valid Api-Key
        self.echo = Echo()  # what the reply repeats
        self.ids = Ids()  # what a wrong request is about
        self.problem = ""  # what is wrong with the place that the answer names
        self.command: Command | None = None
        self.request = b""  # decrypted
        self.reply = b""  # before it is sealed


class CallRecords:
    """Makes the records of one provider's calls. Neither keys nor headers get into them."""

    def __init__(self, provider: Provider, recorder: CallRecorder, clock: Clock, trusted_proxies: Networks) -> None:
        self._provider = provider
        self._record = recorder.record
        self._clock = clock
        self._trusted_proxies = trusted_proxies
        self._slots = {key.text: name for name, key in zip(KEY_NAMES, provider.keys, strict=False)}

    def record(self, call: Call, request: web.Request, answer: Answer, ended_s: float) -> None:
        """Hand over a call that is answered."""
        command, echo, text, reply = call.command, call.echo, call.request, call.reply
        event = echo.event_type
        if command is None:
            ids = call.ids
            received_ms = self._clock.now_ms()
            user_id = (echo.user_id or "")[:ID_CHARS_MAX]
            transaction_id, game_no = ids.transaction_id[:ID_CHARS_MAX], ids.game_no[:ID_CHARS_MAX]
            event = event if event in self._provider.profile.event_types else ""
        else:
            received_ms, user_id = command.received_ms, command.user_id
            transaction_id, game_no = command.transaction_id, command.game_no
        started_s = call.started_s
        opened_s = call.opened_s or ended_s
        decided_s = call.decided_s or opened_s
        self._record(
            CallRecord(
                received_ms,
                self._provider.name,
                peer_of(request, self._trusted_proxies),
                "" if call.key is None else self._slots[call.key.text],
                event or "",
                user_id,
                transaction_id,
                game_no,
                str(answer.code),  # encoded faster than a member of an enum
                answer.reason,
                answer.detail,
                call.problem,
                int((started_s - call.arrived_s) * _US),
                int((opened_s - started_s) * _US),
                *decision_phases_us(opened_s, call.sent_s, call.answered_s, decided_s),
                int((ended_s - decided_s) * _US),
                text if len(text) <= TEXT_BYTES_MAX else text[:TEXT_BYTES_MAX],
                reply if len(reply) <= TEXT_BYTES_MAX else reply[:TEXT_BYTES_MAX],  # it repeats what came
                len(text),
            )
        )


def peer_of(request: web.Request, trusted_proxies: Networks) -> str:
    """The address that a call comes from, as text; "" if it has none."""
    if not trusted_proxies:
        return request.remote or ""
    address = source_of(request, trusted_proxies).address
    return (request.remote or "") if address is None else str(address)
