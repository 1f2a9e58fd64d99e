"""A sound wallet by somebody else: it keeps the provider's protocol and its players' money, and chose otherwise beside.

Whatever it does differently from the case table is hardening that it lacks, or a policy of its own. No money is ever
taken, paid or lost wrongly, and the key is told to nobody.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
from aiohttp import web

from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.providers import Echo, Invalid, Reason
from tests.conformance.reference_wallet import Account, Bet, Endpoint, Rules, Verdict

ID_CHARS_MAX = 60
CHANGES_MAX = 3
BALANCE_MAX = 10**12
BODY_BYTES_MAX = 20_000
ITEMS_MAX = 50


class OtherRules(Rules):
    """Decides as most wallets do that know an event by its transaction_id alone.

    - A used transaction_id gets the code of the first time, whatever else it says; declines are decided afresh.
    - A cancel of an unknown bet is R1, until its bet has come. So there are no tombstones.
    - A change has to start from the stored value, and a bet takes three of them. What is not there is forgiven.
    - A session ends at its logout; a blocked player is refused for good (R3). Stakes of 0 are refused.
    """

    def __init__(self) -> None:
        super().__init__(grace_s=0)

    def recall(self, account, command):
        return account.events.get(command.transaction_id, (b"", None))[1]

    def is_remembered(self, account, command, code):
        return code is Code.R0 and command.kind not in {Kind.LOGIN, Kind.LOGOUT}

    def login(self, account, command):
        if account.blocked:
            return Code.R3
        account.open = True
        return Code.R0

    def logout(self, account, command):
        was_open, account.open = account.open, False
        return Code.R0 if was_open or account.login_ms == command.timestamp_ms else Code.R1

    def decide_afresh(self, account: Account, command) -> Code:
        code = super().decide_afresh(account, command)
        if command.kind is Kind.LOGOUT and code is Code.R0:
            account.login_ms = command.timestamp_ms  # its own retry is no second logout
        return code

    def refusal(self, account, command, moves, *, asks):
        if command.kind is Kind.BET:
            if asks and account.blocked:
                return Code.R3
            if asks and not account.open:
                return Code.R3
            return Code.R4 if asks and not self.covers(account, -moves) else None
        return Code.R3 if account.balance + moves > BALANCE_MAX else None

    def worst(self, codes):
        return next((code for code in codes if code is not Code.R0), Code.R0)

    def move(self, account, moves):
        account.balance = max(0, account.balance + moves)

    def judge_bet(self, bet, item):
        return Verdict(Code.R3) if item.amount == 0 else super().judge_bet(bet, item)

    def cancel_before_bet(self, item):
        return Verdict(Code.R1)

    def judge_change(self, bet, item, at_ms):
        if bet and bet.state == "cancelled":
            return Verdict(Code.R3)
        if bet is None or bet.state == "open":
            return Verdict(Code.R1)
        if item.winloss_before != bet.winloss:
            applied = bool(bet.changes) and bet.changes[-1][:2] == (item.winloss_before, item.winloss)
            return Verdict(Code.R0 if applied else Code.R1)
        if len(bet.changes) == CHANGES_MAX:
            return Verdict(Code.R3)
        changes = (*bet.changes, (item.winloss_before, item.winloss, at_ms))
        changed = Bet("settled", bet.stake, item.winloss, frozenset({item.winloss}), changes)
        return Verdict(Code.R0, changed, item.winloss - bet.winloss)


class OtherEndpoint(Endpoint):
    """Speaks the provider's wire format, and answers what is outside of it in ways of its own.

    - Strangers get HTTP 401, another path 404, long bodies 413, another content type 415.
    - Totals, currencies in small letters and numbers in quotes are taken as they are meant; lines are not.
    - Only R0 tells a balance. What cannot be decrypted is R3.
    """

    def __init__(self) -> None:
        super().__init__(OtherRules())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.content_type not in {"text/plain", "application/json"}:
            raise web.HTTPUnsupportedMediaType
        if request.match_info["name"] != "ref":
            raise web.HTTPNotFound
        body = await request.read()
        if len(body) > BODY_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(max_size=BODY_BYTES_MAX, actual_size=len(body))
        if body != body.strip(b' \r\n"') or b"\n" in body:
            return self.undecryptable(body)
        return await super().handle(request)

    def stranger(self, request):
        raise web.HTTPUnauthorized

    def undecryptable(self, body):
        return self.reply(Echo(), Answer(Code.R3, ""))

    def decode(self, text):
        try:
            return self.checked(super().decode(text))
        except Invalid as invalid:
            if invalid.reason not in {Reason.TOTAL, Reason.SCHEMA, Reason.DUPLICATE_KEY}:
                raise
            return self.checked(super().decode(_mended(text, invalid)))

    def checked(self, incoming):
        command = incoming.command
        ids = [command.transaction_id, command.user_id, command.game_no, *(item.bet_index for item in command.items)]
        if len(command.items) > ITEMS_MAX or any(len(each) > ID_CHARS_MAX or not _is_plain(each) for each in ids):
            raise Invalid(Reason.ID, incoming.echo)
        return incoming

    def text(self, echo, answer):
        told = answer.balance if answer.code is Code.R0 else None
        return super().text(echo, msgspec.structs.replace(answer, balance=told))


def _is_plain(each: str) -> bool:
    """Ids of this wallet are ASCII letters, digits and a few signs."""
    return re.fullmatch(r"[\w:.-]*", each, re.ASCII) is not None


def _mended(text: bytes, invalid: Invalid) -> bytes:
    """The event as it is meant: the last of two keys, numbers without quotes, totals as the sums. Raises Invalid."""
    try:
        fields = msgspec.json.Decoder(float_hook=Decimal).decode(text)
        data = fields["data"]
        (items,) = [value for value in data.values() if isinstance(value, list)]
        for item in items:
            for name in ("bet_amount", "winloss", "winloss_before"):
                if isinstance(item.get(name), str):
                    item[name] = Decimal(item[name])
        for name in [name for name in data if name.startswith("total_")]:
            part = name.removeprefix("total_").replace("bet_cancel_amount", "bet_amount")
            data[name] = sum(item[part] for item in items)
    except (msgspec.MsgspecError, ArithmeticError, KeyError, TypeError, ValueError, AttributeError):
        raise invalid from None
    return msgspec.json.Encoder(decimal_format="number").encode(fields)
