"""A wallet in memory that does what docs/semantics.md says, in parts that a test may replace by wrong ones.

`Rules` decides, `Endpoint` speaks the wire format over HTTP, `ReferenceBackOffice` is its back office. Amounts in minor
units. Written from the rows; the simulator's oracle and the Lua scripts were not looked at.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.clients.back_office_ports import Action, BackOfficeRefused
from seamless_wallet.commands import Answer, Code, Command, Item, Kind, fingerprint
from seamless_wallet.money import AMOUNT_MAX, format_minor, parse_minor
from seamless_wallet.providers import Echo, Invalid, Provider, build_provider

KEY = "reference-key-of-32-bytes-long!!"
CURRENCY, SCALE = "KRW", 2
BODY_BYTES_MAX = 4 * 2**20
CHANGES_MAX = 64
TOLERANCE_MS = 5_000
WORST_FIRST = (Code.R3, Code.R1, Code.R4, Code.R0)


def reference_provider(**changes) -> Provider:
    """The account that wallet and checker share."""
    given = {"name": "ref", "api_id": "ref-1", "api_key": KEY, "currencies": {CURRENCY: SCALE, "USD": SCALE}}
    return build_provider(random_bytes=os.urandom, **{**given, **changes})


@dataclass
class Bet:
    """`open`, `cancelled` (also before it came) or `settled`."""

    state: str
    stake: int
    winloss: int = 0
    had: frozenset[int] = frozenset()
    changes: tuple[tuple[int, int, int], ...] = ()  # before, after, timestamp


@dataclass
class Account:
    """A player."""

    currency: str
    balance: int = 0
    debt: int = 0
    blocked: bool = False
    login_ms: int = -1
    open: bool = False
    closed_s: float = -1e9
    events: dict[str, tuple[bytes, Code]] = field(default_factory=dict)
    bets: dict[tuple[str, str], Bet] = field(default_factory=dict)


@dataclass
class Verdict:
    """What one item does if its batch is R0."""

    code: Code
    bet: Bet | None = None
    moves: int = 0


class Rules:
    """The decisions. A method is a row or two, so that a wrong wallet replaces just that."""

    def __init__(
        self,
        *,
        session="required",
        cancel_unknown="tombstone",
        change_overdraw="debt",
        bet_age_max_s=0,
        grace_s=1.0,
    ):
        self.session, self.cancel_unknown, self.change_overdraw = session, cancel_unknown, change_overdraw
        self.bet_age_max_s = bet_age_max_s
        self.grace_s = grace_s
        self.accounts: dict[str, Account] = {}

    async def apply(self, command: Command) -> Answer:
        """Decide one event. Nothing else happens between its check and its effect."""
        await asyncio.sleep(0)
        return self.decide(command)

    def decide(self, command: Command) -> Answer:
        account = self.account_of(command)
        if account is None:
            return Answer(Code.R3, "")
        code = self.recall(account, command)
        if code is None:
            code = self.decide_afresh(account, command)
            if self.is_remembered(account, command, code):
                account.events[command.transaction_id] = self.said(command), code
        return Answer(code, "", account.balance, account.debt, account.currency)

    def account_of(self, command: Command) -> Account | None:
        return self.accounts.get(command.user_id)

    def recall(self, account: Account, command: Command) -> Code | None:
        """Rows 1, 2 and 6."""
        if command.transaction_id not in account.events:
            return None
        said, code = account.events[command.transaction_id]
        return code if said == self.said(command) else Code.R3

    def said(self, command: Command) -> bytes:
        return fingerprint(command)

    def is_remembered(self, account: Account, command: Command, code: Code) -> bool:
        """Row 6: of what is declined, bets for want of money or for the state of a bet."""
        if code is Code.R3 and command.kind is Kind.BET and command.currency == account.currency:
            return self.worst([verdict.code for verdict in self.verdicts(account, command)]) is Code.R3
        return code is Code.R0 or (command.kind is Kind.BET and code is Code.R4)

    def decide_afresh(self, account: Account, command: Command) -> Code:
        if command.kind is Kind.LOGIN:
            return self.login(account, command)
        if command.kind is Kind.LOGOUT:
            return self.logout(account, command)
        return self.batch(account, command)

    # ------------------------------------------------------------------ sessions

    def login(self, account: Account, command: Command) -> Code:
        if self.is_blocked(account, command):
            return Code.R1
        account.open, account.login_ms = True, max(account.login_ms, self.counts_as_ms(command))
        return Code.R0

    def counts_as_ms(self, command: Command) -> int:
        """Row 24: a login is at most 5 minutes ahead."""
        return min(command.timestamp_ms, int(time.time() * 1000) + 300_000)

    def logout(self, account: Account, command: Command) -> Code:
        if account.open and command.timestamp_ms > account.login_ms:
            account.open, account.closed_s = False, time.monotonic()
        return Code.R0

    def is_in(self, account: Account) -> bool:
        """Row 33."""
        return self.session == "off" or account.open or time.monotonic() - account.closed_s <= self.grace_s

    def is_blocked(self, account: Account, command: Command) -> bool:
        return account.blocked and command.kind in {Kind.LOGIN, Kind.BET}

    # ------------------------------------------------------------------ batches

    def batch(self, account: Account, command: Command) -> Code:
        if command.currency != account.currency:
            return Code.R3
        verdicts = self.verdicts(account, command)
        worst = self.worst([verdict.code for verdict in verdicts])
        if worst is not Code.R0:
            return worst
        moves = sum(verdict.moves for verdict in verdicts)
        if self.is_too_large([verdict.moves for verdict in verdicts]):
            return Code.R3
        refusal = self.refusal(account, command, moves, asks=any(verdict.bet for verdict in verdicts))
        if refusal is None:
            self.carry_out(account, command, verdicts)
        return refusal or Code.R0

    def verdicts(self, account: Account, command: Command) -> list[Verdict]:
        return [
            self.judge(account.bets.get((command.game_no, item.bet_index)), item, command) for item in command.items
        ]

    def worst(self, codes: list[Code]) -> Code:
        return min(codes, key=WORST_FIRST.index)

    def refusal(self, account: Account, command: Command, moves: int, *, asks: bool) -> Code | None:
        """The checks behind the state of the bets: block, session, funds, the limit of a balance."""
        if command.kind is Kind.BET:
            if asks and self.is_too_old(command):
                return Code.R3
            if asks and (self.is_blocked(account, command) or not self.is_in(account)):
                return Code.R1
            return Code.R4 if asks and not self.covers(account, -moves) else None
        if self.is_blocked(account, command):
            return Code.R1
        if moves < 0 and self.change_overdraw == "reject" and -moves > account.balance:
            return Code.R4
        return Code.R1 if account.balance + moves - min(account.debt, max(moves, 0)) > AMOUNT_MAX else None

    def is_too_old(self, command: Command) -> bool:
        """Row 35."""
        return 0 < self.bet_age_max_s < time.time() - command.timestamp_ms / 1000

    def is_too_large(self, moves: list[int]) -> bool:
        """What a batch gives, and what it takes, are amounts."""
        return max(sum(max(sign * move, 0) for move in moves) for sign in (1, -1)) > AMOUNT_MAX

    def covers(self, account: Account, stakes: int) -> bool:
        return stakes <= account.balance

    def carry_out(self, account: Account, command: Command, verdicts: list[Verdict]) -> None:
        for item, verdict in zip(command.items, verdicts, strict=True):
            if verdict.bet:
                account.bets[command.game_no, item.bet_index] = verdict.bet
        self.move(account, sum(verdict.moves for verdict in verdicts))

    def move(self, account: Account, moves: int) -> None:
        """Rows 66 and 67."""
        if moves > 0:
            paid = min(account.debt, moves)
            account.debt -= paid
            account.balance += moves - paid
        else:
            taken = min(account.balance, -moves)
            account.balance -= taken
            account.debt += -moves - taken

    # ------------------------------------------------------------------ bets

    def judge(self, bet: Bet | None, item: Item, command: Command) -> Verdict:
        match command.kind:
            case Kind.BET:
                return self.judge_bet(bet, item)
            case Kind.CANCEL:
                return self.judge_cancel(bet, item)
            case Kind.RESULT:
                return self.judge_result(bet, item)
            case _:
                return self.judge_change(bet, item, command.timestamp_ms)

    def judge_bet(self, bet: Bet | None, item: Item) -> Verdict:
        if bet is None:
            return Verdict(Code.R0, Bet("open", item.amount), -item.amount)
        if bet.state == "cancelled" or bet.stake != item.amount:
            return Verdict(Code.R3)
        return Verdict(Code.R0)

    def judge_cancel(self, bet: Bet | None, item: Item) -> Verdict:
        if bet is None:
            return self.cancel_before_bet(item)
        if bet.state == "settled" or bet.stake != item.amount:
            return Verdict(Code.R3)
        if bet.state == "cancelled":
            return Verdict(Code.R0)
        return Verdict(Code.R0, Bet("cancelled", bet.stake), bet.stake)

    def cancel_before_bet(self, item: Item) -> Verdict:
        if self.cancel_unknown == "r3":
            return Verdict(Code.R3)
        return Verdict(Code.R0, Bet("cancelled", item.amount))

    def judge_result(self, bet: Bet | None, item: Item) -> Verdict:
        if item.winloss < -item.amount:
            return Verdict(Code.R3)
        if bet is None:
            return Verdict(Code.R1)
        if bet.state == "cancelled" or bet.stake != item.amount:
            return Verdict(Code.R3)
        if bet.state == "settled":
            return Verdict(Code.R0 if item.winloss in bet.had else Code.R3)
        settled = Bet("settled", bet.stake, item.winloss, frozenset({item.winloss}))
        return Verdict(Code.R0, settled, bet.stake + item.winloss)

    def judge_change(self, bet: Bet | None, item: Item, at_ms: int) -> Verdict:
        before, after = item.winloss_before, item.winloss
        if after < -item.amount or (bet and (bet.state == "cancelled" or bet.stake != item.amount)):
            return Verdict(Code.R3)
        if bet is None or bet.state == "open":
            return Verdict(Code.R1)
        if self.is_applied(bet, before, after, at_ms):
            return Verdict(Code.R0)
        if before == bet.winloss:
            return self.next_change(bet, before, after, at_ms)
        return Verdict(Code.R0 if any(change[:2] == (before, after) for change in bet.changes) else Code.R1)

    def is_applied(self, bet: Bet, before: int, after: int, at_ms: int) -> bool:
        return (before, after, at_ms) in bet.changes

    def next_change(self, bet: Bet, before: int, after: int, at_ms: int) -> Verdict:
        if bet.changes and at_ms < bet.changes[-1][2] - TOLERANCE_MS:
            return Verdict(Code.R1)
        if len(bet.changes) == CHANGES_MAX:
            return Verdict(Code.R3)
        changed = Bet("settled", bet.stake, after, bet.had | {after}, (*bet.changes, (before, after, at_ms)))
        return Verdict(Code.R0, changed, after - bet.winloss)


class ReferenceBackOffice:
    """The back office of a reference wallet."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        minor = parse_minor(amount, SCALE) if amount else 0
        account = self.rules.accounts.setdefault(user_id, Account(currency))
        match action:
            case "deposit":
                self.deposit(account, minor)
            case "withdraw":
                self.withdraw(account, minor)
            case "block" | "unblock":
                account.blocked = action == "block"
            case "balance":
                return format_minor(account.balance, SCALE)
        return ""

    def deposit(self, account: Account, minor: int) -> None:
        account.balance += minor

    def withdraw(self, account: Account, minor: int) -> None:
        if account.blocked or minor > account.balance - account.debt:
            raise BackOfficeRefused("not so much")
        account.balance -= minor


class Endpoint:
    """The webhook. Its parts are what a wallet has to do around the decision."""

    def __init__(self, rules: Rules, provider: Provider | None = None) -> None:
        self.rules = rules
        self.provider = provider or reference_provider()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = b""
        key = self.provider.match_key(request.headers.get("Api-Key", ""))
        if key is None or request.match_info["name"] != "ref":
            return self.stranger(request)
        if not self.provider.is_api_id(request.headers.get("Api-Id", "")):
            return self.reply(Echo(), Answer(Code.R2, ""))
        try:
            text = self.provider.open(body, key)
        except DecryptionError:
            return self.undecryptable(body)
        try:
            incoming = self.decode(text)
        except Invalid as invalid:
            return self.invalid(invalid)
        return self.reply(incoming.echo, await self.rules.apply(incoming.command), incoming.command)

    def decode(self, text: bytes):
        return self.provider.profile.decode(text, self.provider, 0)

    def stranger(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": "R2"})

    def undecryptable(self, body: bytes) -> web.StreamResponse:
        return self.reply(Echo(), Answer(Code.R2, ""))

    def invalid(self, invalid: Invalid) -> web.StreamResponse:
        return self.reply(invalid.echo, Answer(Code.R3, ""))

    def reply(self, echo: Echo, answer: Answer, command: Command | None = None) -> web.StreamResponse:
        key = self.provider.keys[0]
        return web.Response(body=self.provider.seal(self.text(echo, answer), key), headers=self.provider.headers(key))

    def text(self, echo: Echo, answer: Answer) -> bytes:
        return self.provider.profile.encode_reply(echo, answer, SCALE)

    def app(self) -> web.Application:
        """The webhook, and the back office for a hook."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/webhook/{name}", self.handle)
        app.router.add_post("/back-office", self._back_office)
        return app

    async def _back_office(self, request: web.Request) -> web.Response:
        try:
            return web.Response(text=await ReferenceBackOffice(self.rules).do(**await request.json()))
        except BackOfficeRefused as refusal:
            raise web.HTTPConflict(text=str(refusal)) from None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL while it is served."""
        async with TestServer(self.app()) as server:
            yield str(server.make_url("/webhook/ref"))
