"""Events of a player that is tested: made as the provider makes them, changed at will, sent, and their answers checked.

Amounts are minor units. `await game.bet(500).gets(R0, moves=-500)` sends a bet and checks code, balance and echo.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from seamless_wallet.clients.webhook import AnswerLost, WebhookError
from seamless_wallet.commands import Code
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.player_account import PlayerAccount
from seamless_wallet.providers import Reply
from seamless_wallet.providers.strict_json import exact

R0, R1, R2, R3, R4 = Code.R0, Code.R1, Code.R2, Code.R3, Code.R4

_PAUSES_S: Final = (0.1, 0.3, 0.6)  # before an event is sent again, as row 7 has a provider do
_TEXT_SHOWN: Final = 600
_decode: Final = msgspec.json.Decoder(float_hook=exact).decode
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class CaseEvent:
    """One event as the JSON that it is. Every change makes another event; sent again unchanged, it is a retry."""

    def __init__(self, account: PlayerAccount, fields: dict[str, Any], note: str = "") -> None:
        self.account = account
        self.fields = fields
        self._note = note

    @classmethod
    def of(cls, account: PlayerAccount, text: bytes) -> CaseEvent:
        """From what the profile wrote."""
        return cls(account, _decode(text))

    @property
    def text(self) -> bytes:
        """The JSON."""
        return _encode(self.fields)

    # ------------------------------------------------------------------ changes

    def noted(self, note: str) -> CaseEvent:
        """The same with another explanation for messages."""
        return CaseEvent(self.account, self.fields, note)

    def put(self, path: str, value: object, note: str = "") -> CaseEvent:
        """With another value at a path such as `data.bets.0.bet_amount`."""
        made = _copied(self.fields)
        place, name = _find(made, path)
        place[name] = value
        return CaseEvent(self.account, made, note or f"{path} = {_encode(value).decode()[:80]}")

    def literally(self, texts: Mapping[str, str]) -> CaseEvent:
        """With values that are written into the JSON as they are, valid or not."""
        made = _copied(self.fields)
        for path, text in texts.items():
            place, name = _find(made, path)
            place[name] = literal(text)
        return CaseEvent(self.account, made, f"{next(iter(texts))} = {next(iter(texts.values()))}")

    def drop(self, path: str) -> CaseEvent:
        """Without a field."""
        made = _copied(self.fields)
        place, name = _find(made, path)
        del place[name]
        return CaseEvent(self.account, made, f"without {path}")

    def renewed(self) -> CaseEvent:
        """The same content as a new event."""
        fresh = self.account.run.transaction_ids.another(str(self.fields["transaction_id"]))
        return self.put("transaction_id", fresh, self._note or "under a new transaction_id")

    def stamped(self, after_s: int) -> CaseEvent:
        """The same with a timestamp so much later."""
        return self.put("timestamp", self.fields["timestamp"] + after_s)

    # ------------------------------------------------------------------ answers

    async def gets(self, code: Code, moves: int = 0, *, whole_echo: bool = True) -> Reply:
        """Send it; the answer must have this code and the balance after `moves`. Raises CaseFailed or WebhookError."""
        reply = await self.deliver(code)
        self._check(reply, code, moves, whole_echo=whole_echo)
        return reply

    async def refused(self) -> Reply:
        """As R3 for what is no valid event: its echo may be as incomplete as it could be read."""
        return await self.gets(R3, whole_echo=False)

    async def deliver(self, due: Code | None = None) -> Reply:
        """Send it, and again after an R1 that is not due (row 7) or a lost answer, as a provider does.

        Raises WebhookError without a sealed reply.
        """
        for pause_s in _PAUSES_S:
            try:
                reply = await self._exchange()
            except AnswerLost:
                self.account.lost_answers += 1
            else:
                if reply.code is not Code.R1 or due is Code.R1:
                    return reply
            await asyncio.sleep(pause_s)
        return await self._exchange()

    async def _exchange(self) -> Reply:
        try:
            return await self.account.run.webhook.exchange(self.text)
        except WebhookError as error:
            raise type(error)(f"{self}: {error}\nsent {self._shown()}") from None

    def _check(self, reply: Reply, code: Code, moves: int, *, whole_echo: bool) -> None:
        account = self.account
        if reply.code is not code:
            raise self._wrong(f"{code.value}{account.balance_after(moves)}", reply)
        account.balance = None if account.balance is None else account.balance + moves
        self._check_balance(reply, account.balance)
        for name in ("event_type", "timestamp", "user_id"):
            sent, echoed = self.fields.get(name), getattr(reply, name)
            if echoed != sent and (whole_echo or echoed is not None):
                raise self._wrong(f"the echo {name} {sent!r}", reply, f"{echoed!r} with {reply.code.value}")

    def _check_balance(self, reply: Reply, minor: int | None) -> None:
        """R0 must tell the balance; what any answer tells must be right. `None`: there is no such player.

        The provider's guide leaves the balance open with every other code. It is the subject of a case of its own.
        """
        told = reply.latest_balance
        if told is None:
            if minor is not None and reply.code is Code.R0:
                raise self._wrong("a latest_balance", reply)
        elif minor is None:
            if told:
                raise self._wrong("no balance of an unknown player", reply)
        elif not self.account.is_told_by(told, minor):
            raise self._wrong(f"latest_balance {self.account.major(minor)}", reply)

    def _wrong(self, expected: str, reply: Reply, got: str = "") -> CaseFailed:
        told = "" if reply.latest_balance is None else f" with {reply.latest_balance}"
        return CaseFailed(f"{self}: expected {expected}; got {got or reply.code.value + told}\nsent {self._shown()}")

    def _shown(self) -> str:
        return self.text.decode(errors="replace")[:_TEXT_SHOWN]

    def __str__(self) -> str:
        kind = str(self.fields.get("event_type"))[:40]
        return f"{kind} ({self._note})" if self._note else kind


def check_code(reply: Reply, what: str, *due: Code) -> None:
    """Whether the reply to something has one of these codes. Raises CaseFailed."""
    if reply.code not in due:
        raise CaseFailed(f"{what}: expected {' or '.join(due)}; got {reply.code.value}")


def literal(text: str) -> msgspec.Raw:
    """A value that is written into the JSON as it is, valid or not."""
    return msgspec.Raw(text.encode())


def _copied(fields: Any) -> Any:
    if isinstance(fields, dict):
        return {name: _copied(value) for name, value in fields.items()}
    return [_copied(value) for value in fields] if isinstance(fields, list) else fields


def _find(fields: Any, path: str) -> tuple[Any, Any]:
    """The object or list in which a path ends, and the name or index of its last step."""
    *way, last = path.split(".")
    for step in way:
        fields = fields[int(step) if isinstance(fields, list) else step]
    return fields, int(last) if isinstance(fields, list) else last
