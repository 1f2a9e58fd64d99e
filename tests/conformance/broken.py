"""Wallets that are each wrong in one way, and the cases that name what is wrong."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from decimal import Decimal

import msgspec
from aiohttp import web

from seamless_wallet.commands import Answer, Code, Kind, fingerprint
from seamless_wallet.conformance.case_context import FUNDS
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.providers import Echo, Invalid, Reason
from tests.conformance.reference_wallet import (
    CURRENCY,
    TOLERANCE_MS,
    Account,
    Bet,
    Endpoint,
    ReferenceBackOffice,
    Rules,
    Verdict,
)

WALLETS: dict[str, tuple[type, tuple[str, ...]]] = {}


def caught_by(*names: str):
    """The cases that must fail against this wallet."""

    def register(made: type) -> type:
        WALLETS[made.__name__] = made, names
        return made

    return register


# ---------------------------------------------------------------------- identity


@caught_by("repeated-result", "copies-of-a-result")
class DoubleCreditOnRetry(Rules):
    def recall(self, account, command):
        return None if command.kind is Kind.RESULT else super().recall(account, command)

    def judge_result(self, bet, item):
        if bet and bet.state == "settled" and item.winloss in bet.had:
            return Verdict(Code.R0, bet, bet.stake + item.winloss)
        return super().judge_result(bet, item)


@caught_by("conflict-of-amounts", "conflict-of-rounds", "conflict-of-kinds", "conflicting-copies")
class FingerprintIgnored(Rules):
    def recall(self, account, command):
        return account.events.get(command.transaction_id, (b"", None))[1]


@caught_by("conflict-of-values-before")
class FingerprintWithoutBefore(Rules):
    def said(self, command):
        items = tuple(msgspec.structs.replace(item, winloss_before=0) for item in command.items)
        return fingerprint(msgspec.structs.replace(command, items=items))


@caught_by("retry-with-another-timestamp-and-more-fields")
class TimestampIsPartOfTheEvent(Rules):
    def decide(self, command):
        account = self.accounts.get(command.user_id)
        code = account and self.recall(account, command)
        answer = super().decide(command)
        if account is None:
            return answer
        times = account.__dict__.setdefault("times", {})
        first = times.setdefault(command.transaction_id, command.timestamp_ms)
        stale = code is Code.R0 and first != command.timestamp_ms
        return msgspec.structs.replace(answer, code=Code.R3) if stale else answer


@caught_by("declined-bet-stays-declined", "declined-bet-under-another-id")
class DeclineForgotten(Rules):
    def is_remembered(self, account, command, code):
        return code is Code.R0


@caught_by("result-before-its-bet", "change-before-the-result")
class TransientFailureRemembered(Rules):
    def is_remembered(self, account, command, code):
        return code in {Code.R0, Code.R1}


@caught_by("bet-again-under-another-id", "copies-of-a-bet-under-other-ids", "batch-with-a-placed-bet")
class BetsKnownByTransactionOnly(Rules):
    def judge_bet(self, bet, item):
        again = bet and bet.state == "open" and bet.stake == item.amount
        return Verdict(Code.R0, bet, -item.amount) if again else super().judge_bet(bet, item)


@caught_by("transaction-id-of-another-player")
class TransactionIdsAreGlobal(Rules):
    def __init__(self, **choices):
        super().__init__(**choices)
        self.seen = {}

    def recall(self, account, command):
        said = fingerprint(command)
        return (
            Code.R3 if self.seen.setdefault(command.transaction_id, said) != said else super().recall(account, command)
        )


@caught_by("round-of-another-player", "players-at-once")
class RoundsAreShared(Rules):
    def account_of(self, command):
        account = super().account_of(command)
        if account is not None:
            account.bets = self.__dict__.setdefault("shared", {})
        return account


@caught_by("identities-do-not-run-together", "rounds-and-indexes-do-not-run-together")
class IdentitiesWrittenOneAfterTheOther(Rules):
    def batch(self, account, command):
        items = tuple(
            msgspec.structs.replace(item, bet_index=command.game_no + item.bet_index) for item in command.items
        )
        return super().batch(account, msgspec.structs.replace(command, game_no="", items=items))


@caught_by("alike-rounds-are-different", "alike-indexes-are-different")
class IdsAreTrimmed(Rules):
    def batch(self, account, command):
        items = tuple(msgspec.structs.replace(item, bet_index=item.bet_index.strip()) for item in command.items)
        items = tuple({item.bet_index: item for item in items}.values())
        return super().batch(
            account, msgspec.structs.replace(command, game_no=command.game_no.strip().lower(), items=items)
        )


@caught_by("alike-players-are-unknown")
class UsersAreTrimmed(Rules):
    def account_of(self, command):
        return self.accounts.get(command.user_id.strip())


@caught_by("events-of-an-unknown-player", "an-unknown-player-leaves-nothing-behind")
class PlayersMadeOnTheFly(Rules):
    def account_of(self, command):
        return self.accounts.setdefault(command.user_id, Account("KRW", balance=100))


# ---------------------------------------------------------------------- money


@caught_by("amounts-are-exact")
class FloatMoney(Endpoint):
    def reply(self, echo, answer, command=None):
        self.floats = self.__dict__.setdefault("floats", {})
        if command is not None and answer.balance is not None:
            minor, told = self.floats.get(command.user_id, (answer.balance, answer.balance / 100))
            told += (answer.balance - minor) / 100  # as a wallet that adds and subtracts major units
            self.floats[command.user_id] = answer.balance, told
        self.told = self.floats.get(echo.user_id, (0, None))[1]
        return super().reply(echo, answer, command)

    def text(self, echo, answer):
        fields = json.loads(super().text(echo, answer), parse_float=Decimal)
        if "latest_balance" in fields:
            fields["latest_balance"] = self.told
        return json.dumps(fields).encode()


@caught_by("large-balances-are-exact")
class BalanceOfFifteenDigits(Endpoint):
    def text(self, echo, answer):
        balance = answer.balance and int(float(f"{answer.balance:.15g}"))
        return super().text(echo, msgspec.structs.replace(answer, balance=balance))


@caught_by("bet-takes-its-stake", "copies-of-a-bet", "bets-against-money-for-some")
class BalanceBeyondMeasure(Endpoint):
    def text(self, echo, answer):
        text = super().text(echo, answer)
        return re.sub(rb'("latest_balance":)[^,}]+', rb"\g<1>1e999999", text) if echo.event_type == "bet" else text


@caught_by("win-credits-stake-and-winloss", "push-credits-the-stake")
class GrossWinloss(Rules):
    def judge_result(self, bet, item):
        verdict = super().judge_result(bet, item)
        return Verdict(verdict.code, verdict.bet, max(item.winloss, 0)) if verdict.bet else verdict


@caught_by("batch-over-the-balance-takes-nothing")
class PartialBatch(Rules):
    def batch(self, account, command):
        if command.kind is not Kind.BET or len(command.items) == 1:
            return super().batch(account, command)
        codes = [
            super(PartialBatch, self).batch(account, msgspec.structs.replace(command, items=(item,)))
            for item in command.items
        ]
        return next((code for code in codes if code is not Code.R0), Code.R0)


@caught_by("one-unknown-bet-holds-up-the-batch", "the-worst-item-decides", "one-wrong-amount-refuses-the-batch")
class PartialSettlement(Rules):
    def batch(self, account, command):
        if command.kind is Kind.BET:
            return super().batch(account, command)
        codes = [
            super(PartialSettlement, self).batch(account, msgspec.structs.replace(command, items=(item,)))
            for item in command.items
        ]
        return next((code for code in codes if code is not Code.R0), Code.R0)


@caught_by("bet-over-the-balance", "bet-without-money", "bets-against-money-for-some")
class NegativeBalance(Rules):
    def covers(self, account, stakes):
        return stakes <= account.balance + 100_000

    def move(self, account, moves):
        account.balance += moves


@caught_by("bet-of-the-whole-balance", "stake-of-zero-without-money")
class BalanceMustExceedTheStake(Rules):
    def covers(self, account, stakes):
        return stakes < account.balance


@caught_by("bets-against-money-for-some", "bets-of-one-round-against-money-for-some")
class NotAtomic(Rules):
    async def apply(self, command):
        account = self.accounts.get(command.user_id)
        if account is None or command.kind is not Kind.BET or self.recall(account, command):
            return await super().apply(command)
        before = account.balance
        answer = self.decide(command)
        after = account.balance
        account.balance = before
        await asyncio.sleep(0.01)  # what it read is old now
        account.balance = after
        return answer


@caught_by("copies-of-a-bet", "copies-of-a-cancel")
class ChecksForCopiesTooEarly(Rules):
    def __init__(self):
        super().__init__()
        self.under_way: Counter[str] = Counter()

    async def apply(self, command):
        account = self.accounts.get(command.user_id)
        if account is None or command.kind not in {Kind.BET, Kind.CANCEL} or self.recall(account, command):
            return await super().apply(command)
        known = dict(account.bets)
        self.under_way[command.transaction_id] += 1
        for _ in range(50):  # until another copy has checked, too
            await asyncio.sleep(0.01)
            if self.under_way[command.transaction_id] > 1:
                break
        for item in command.items:
            old = known.get((command.game_no, item.bet_index))
            account.bets.pop((command.game_no, item.bet_index), None)
            if old:
                account.bets[command.game_no, item.bet_index] = old
        account.events.pop(command.transaction_id, None)
        return self.decide(command)


@caught_by("players-have-balances-of-their-own", "players-at-once")
class BalanceOfAnotherPlayer(Rules):
    def decide(self, command):
        answer = super().decide(command)
        last, self.last = self.__dict__.get("last"), answer.balance
        return msgspec.structs.replace(answer, balance=last if answer.balance is not None and last else answer.balance)


@caught_by("login-tells-the-balance-of-now", "deposit-and-withdrawal-are-seen")
class LoginTellsAnOldBalance(Rules):
    def decide(self, command):
        answer = super().decide(command)
        old = self.__dict__.setdefault("first", {}).setdefault(command.user_id, answer.balance)
        return msgspec.structs.replace(answer, balance=old) if command.kind is Kind.LOGIN else answer


@caught_by("credit-over-the-limit")
class NoLimit(Rules):
    def refusal(self, account, command, moves, *, asks):
        return None if command.kind is Kind.RESULT else super().refusal(account, command, moves, asks=asks)


@caught_by("items-that-give-too-much-together")
class OnlyTheNetIsLimited(Rules):
    def is_too_large(self, moves):
        return abs(sum(moves)) > AMOUNT_MAX


# ---------------------------------------------------------------------- cancels, results, changes


@caught_by(
    "bet-after-the-cancel-that-came-first",
    "tombstones-stand-for-one-bet-each",
    "result-of-a-tombstone",
    "a-cancel-before-its-bet-loses-no-stake",
)
class NoTombstone(Rules):
    def cancel_before_bet(self, item):
        return Verdict(Code.R0)


@caught_by("cancel-of-another-amount")
class CancelRefundsWhatItSays(Rules):
    def judge_cancel(self, bet, item):
        if bet and bet.state == "open":
            return Verdict(Code.R0, Bet("cancelled", bet.stake), item.amount)
        return super().judge_cancel(bet, item)


@caught_by("cancel-of-a-settled-bet")
class SettledBetsAreRefunded(Rules):
    def judge_cancel(self, bet, item):
        if bet and bet.state == "settled":
            return Verdict(Code.R0, Bet("cancelled", bet.stake), -bet.winloss)
        return super().judge_cancel(bet, item)


@caught_by("cancel-of-a-cancelled-bet-with-another-amount")
class CancelledIsCancelled(Rules):
    def judge_cancel(self, bet, item):
        return Verdict(Code.R0) if bet and bet.state == "cancelled" else super().judge_cancel(bet, item)


@caught_by("result-of-a-cancelled-bet", "cancel-against-result")
class CancelledBetsArePaid(Rules):
    def judge_result(self, bet, item):
        if bet and bet.state == "cancelled":
            return Verdict(Code.R0, Bet("settled", bet.stake, item.winloss, frozenset({item.winloss})), item.winloss)
        return super().judge_result(bet, item)


@caught_by("result-of-another-stake", "winloss-below-the-stake")
class ResultIsBelieved(Rules):
    def judge_result(self, bet, item):
        if bet and bet.state == "open":
            settled = Bet("settled", item.amount, item.winloss, frozenset({item.winloss}))
            return Verdict(Code.R0, settled, item.amount + item.winloss)
        return super().judge_result(bet, item)


@caught_by("another-result-is-no-change")
class LastResultWins(Rules):
    def judge_result(self, bet, item):
        if bet and bet.state == "settled" and item.winloss not in bet.had:
            settled = Bet("settled", bet.stake, item.winloss, bet.had | {item.winloss})
            return Verdict(Code.R0, settled, item.winloss - bet.winloss)
        return super().judge_result(bet, item)


@caught_by("change-from-a-value-that-is-not-stored", "changes-out-of-order")
class ChangeBelievesBefore(Rules):
    def judge_change(self, bet, item, at_ms):
        verdict = super().judge_change(bet, item, at_ms)
        if bet and bet.state == "settled" and verdict.code is Code.R1:
            bet = Bet("settled", bet.stake, item.winloss, bet.had, bet.changes)
            return Verdict(Code.R0, bet, item.winloss - item.winloss_before)
        return verdict


@caught_by(
    "change-applied-at-another-time",
    "change-that-was-applied-long-ago",
    "change-again-under-another-id-moves-nothing",
)
class ChangesAreReplayed(Rules):
    def judge_change(self, bet, item, at_ms):
        verdict = super().judge_change(bet, item, at_ms)
        if verdict.code is Code.R0 and not verdict.bet:
            return Verdict(Code.R0, bet, item.winloss - item.winloss_before)
        return verdict


@caught_by("change-older-than-the-last")
class AgeOfAChangeIgnored(Rules):
    def next_change(self, bet, before, after, at_ms):
        return super().next_change(bet, before, after, max(at_ms, *(change[2] for change in bet.changes), 0))


@caught_by("age-is-measured-from-the-last-change")
class AgeOfTheFirstChange(AgeOfAChangeIgnored):
    def next_change(self, bet, before, after, at_ms):
        if bet.changes and at_ms < bet.changes[0][2] - TOLERANCE_MS:
            return Verdict(Code.R1)
        return super().next_change(bet, before, after, at_ms)


@caught_by("changes-back-and-forth")
class PairsAreAppliedOnce(Rules):
    def is_applied(self, bet, before, after, at_ms):
        return any(change[:2] == (before, after) for change in bet.changes)


@caught_by("old-change-of-a-pair-that-was-applied")
class PairComesBeforeAge(Rules):
    def next_change(self, bet, before, after, at_ms):
        verdict = super().next_change(bet, before, after, at_ms)
        was_applied = any(change[:2] == (before, after) for change in bet.changes)
        return Verdict(Code.R0) if verdict.code is Code.R1 and was_applied else verdict


@caught_by("result-with-a-winloss-in-between")
class OnlyFirstAndLastAreKnown(Rules):
    def next_change(self, bet, before, after, at_ms):
        verdict = super().next_change(bet, before, after, at_ms)
        first = bet.changes[0][0] if bet.changes else before
        if verdict.bet:
            verdict.bet.had = frozenset({first, after})
        return verdict


@caught_by("changes-of-a-bet-are-limited")
class ChangesWithoutEnd(Rules):
    def next_change(self, bet, before, after, at_ms):
        short = Bet(bet.state, bet.stake, bet.winloss, bet.had, bet.changes[-8:])
        return super().next_change(short, before, after, at_ms)


@caught_by("a-balance-is-never-negative", "change-that-takes-more-than-the-balance", "change-takes-what-is-there")
class ChangeMakesTheBalanceNegative(Rules):
    def move(self, account, moves):
        account.balance += moves


@caught_by("win-pays-the-debt-first", "refund-pays-the-debt-first", "change-upward-pays-the-debt-first")
class DebtForgotten(Rules):
    def move(self, account, moves):
        super().move(account, moves)
        account.debt = 0


@caught_by("deposits-do-not-pay-the-debt", "bets-of-a-player-in-debt")
class DepositsPayTheDebt(ReferenceBackOffice):
    def deposit(self, account, minor):
        self.rules.move(account, minor)


@caught_by("withdrawal-of-a-player-in-debt")
class DebtorsMayTakeAll(ReferenceBackOffice):
    def withdraw(self, account, minor):
        debt, account.debt = account.debt, 0
        try:
            super().withdraw(account, minor)
        finally:
            account.debt = debt


@caught_by("withdrawal-over-the-balance", "stakes-cannot-be-withdrawn")
class WithdrawalsWithoutEnd(ReferenceBackOffice):
    def withdraw(self, account, minor):
        account.balance -= minor


# ---------------------------------------------------------------------- sessions and blocks


@caught_by("bet-without-a-session", "bet-long-after-the-logout", "session-comes-before-funds")
class SessionNeverChecked(Rules):
    def is_in(self, account):
        return True


@caught_by("bet-just-after-the-logout")
class NoGrace(Rules):
    def is_in(self, account):
        return account.open


@caught_by("a-late-logout-closes-nothing")
class LateLogoutCloses(Rules):
    def logout(self, account, command):
        account.login_ms = -1
        return super().logout(account, command)


@caught_by("what-follows-a-bet-needs-no-session")
class ResultsNeedASession(Rules):
    def refusal(self, account, command, moves, *, asks):
        return Code.R1 if not self.is_in(account) else super().refusal(account, command, moves, asks=asks)


@caught_by("blocked-player-cannot-log-in", "blocked-player-cannot-bet", "block-comes-before-funds")
class BlockIgnored(Rules):
    def is_blocked(self, account, command):
        return False


@caught_by("cancel-for-a-blocked-player", "result-for-a-blocked-player", "change-for-a-blocked-player")
class BlockedForEverything(Rules):
    def is_blocked(self, account, command):
        return account.blocked


@caught_by("a-placed-bet-comes-before-the-block", "a-cancelled-bet-comes-before-the-block")
class BlockComesFirst(Rules):
    def batch(self, account, command):
        return Code.R1 if self.is_blocked(account, command) else super().batch(account, command)


# ---------------------------------------------------------------------- envelope and schema


@caught_by("keys-that-are-there-twice")
class LastOfTwoKeysWins(Endpoint):
    def decode(self, text):
        try:
            return super().decode(text)
        except Invalid as invalid:
            if invalid.reason is not Reason.DUPLICATE_KEY:
                raise
            return super().decode(json.dumps(json.loads(text)).encode())


@caught_by("totals-that-are-no-sums", "transplanted-blocks")
class TotalNotChecked(Endpoint):
    def decode(self, text):
        try:
            return super().decode(text)
        except Invalid as invalid:
            if invalid.reason is not Reason.TOTAL:
                raise
        fields = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        data = fields["data"]
        (items,) = [value for value in data.values() if isinstance(value, list)]
        for name in data:
            part = name.replace("total_", "").replace("bet_cancel_amount", "bet_amount")
            if name.startswith("total_"):
                data[name] = sum(item[part] for item in items)
        fields["timestamp"] = int(fields["timestamp"])
        return super().decode(msgspec.json.Encoder(decimal_format="number").encode(fields))


@caught_by("texts-in-place-of-numbers", "amounts-as-texts-throughout")
class TextsAreTakenForNumbers(Endpoint):
    def decode(self, text):
        return super().decode(re.sub(rb'("(?:total_)?bet_amount":)"([0-9.]+)"', rb"\1\2", text))


@caught_by("finer-than-the-currency")
class AmountsAreRounded(Endpoint):
    def decode(self, text):
        return super().decode(re.sub(rb"(_amount\":[0-9]+\.[0-9]{2})[0-9]+", rb"\1", text))


@caught_by("undecryptable-bodies-are-all-answered-alike")
class PaddingOracle(Endpoint):
    def undecryptable(self, body):
        if len(body) % 4:
            return super().undecryptable(body)
        return self.reply(Echo(event_type="padding"), Answer(Code.R2, ""))


@caught_by("strangers-get-no-key", "strangers-move-nothing-and-learn-no-key")
class KeyIsHandedToStrangers(Endpoint):
    def stranger(self, request):
        return web.json_response({"code": "R2"}, headers={"Api-Key": self.provider.keys[0].text})


@caught_by("strangers-are-all-answered-alike")
class StrangersAreToldWhatIsWrong(Endpoint):
    def stranger(self, request):
        return web.json_response({"code": "R2"}, headers={} if "Api-Key" in request.headers else {"X-Hint": "no key"})


@caught_by("replies-are-sealed-and-carry-the-headers", "not-json", "login-tells-the-balance")
class PlainReplies(Endpoint):
    def reply(self, echo, answer, command=None):
        return web.Response(body=self.text(echo, answer))


@caught_by("not-json", "json-that-is-no-object", "fields-that-are-missing", "nested-without-end")
class FaultOnBadJson(Endpoint):
    def invalid(self, invalid):
        raise web.HTTPInternalServerError


@caught_by("login-tells-the-balance", "timestamp-in-milliseconds")
class EchoOfItsOwn(Endpoint):
    def text(self, echo, answer):
        stamp = echo.timestamp and echo.timestamp // 10 * 10 + 11
        return super().text(msgspec.structs.replace(echo, timestamp=stamp), answer)


@caught_by("body-over-the-limit", "body-over-the-limit-in-chunks")
class BodiesWithoutLimit(Endpoint):
    async def handle(self, request):
        request._client_max_size = 2**24
        return await super().handle(request)


@caught_by("any-content-type", "either-content-type")
class OnlyPlainText(Endpoint):
    async def handle(self, request):
        if request.content_type != "text/plain":
            raise web.HTTPUnsupportedMediaType
        return await super().handle(request)


@caught_by("body-as-a-json-string", "body-in-white-space")
class OnlyBareBodies(Endpoint):
    async def handle(self, request):
        body = await request.read()
        if body != body.strip(b' \r\n"'):
            return self.undecryptable(b"x")
        return await super().handle(request)


@caught_by("body-in-lines")
class BodiesOfOneLine(Endpoint):
    async def handle(self, request):
        if b"\n" in (await request.read()).strip():
            return self.undecryptable(b"x")
        return await super().handle(request)


@caught_by("declines-tell-the-balance")
class DeclinesWithoutBalance(Endpoint):
    def text(self, echo, answer):
        told = None if answer.code is Code.R4 else answer.balance
        return super().text(echo, msgspec.structs.replace(answer, balance=told))


@caught_by("a-negative-stake-gives-no-money", "negative-stakes")
class StakesBelowZeroArePaid(Endpoint):
    def invalid(self, invalid):
        account = self.rules.accounts.get(invalid.echo.user_id)
        if account is None or invalid.reason is not Reason.AMOUNT or invalid.echo.event_type != "bet":
            return super().invalid(invalid)
        account.balance += 100
        return self.reply(invalid.echo, Answer(Code.R0, "", account.balance))


@caught_by("fields-that-nobody-knows")
class UnknownFieldsRefused(Endpoint):
    def decode(self, text):
        if b'"more"' in text:
            raise Invalid(Reason.SCHEMA)
        return super().decode(text)


@caught_by("exponents-beyond-measure", "not-a-number")
class HugeExponentsAreFaults(Endpoint):
    def invalid(self, invalid):
        if invalid.reason in {Reason.AMOUNT, Reason.JSON}:
            raise web.HTTPInternalServerError
        return super().invalid(invalid)


@caught_by("events-of-an-unknown-player", "alike-players-are-unknown")
class FaultForStrangers(Endpoint):
    def reply(self, echo, answer, command=None):
        if command and command.user_id not in self.rules.accounts:
            raise web.HTTPInternalServerError
        return super().reply(echo, answer, command)


@caught_by("the-worst-item-decides", "the-worst-change-decides")
class TheFirstComplaintDecides(Rules):
    def worst(self, codes):
        return next((code for code in codes if code is not Code.R0), Code.R0)


@caught_by("bet-in-the-grace-opens-nothing")
class LateBetsOpen(Rules):
    def carry_out(self, account, command, verdicts):
        account.open = account.open or command.kind is Kind.BET
        super().carry_out(account, command, verdicts)


@caught_by("an-old-login-sets-nothing-back")
class TheLastLoginCounts(Rules):
    def login(self, account, command):
        account.login_ms = 0
        return super().login(account, command)


@caught_by("a-login-stamped-far-ahead-can-be-logged-out")
class LoginsCountAsFarAheadAsTheySay(Rules):
    def counts_as_ms(self, command):
        return command.timestamp_ms


@caught_by("bet-stamped-in-the-past", "new-bet-in-an-old-batch")
class OldBetsRefused(Rules):
    def is_too_old(self, command):
        return time.time() - command.timestamp_ms / 1000 > 60


@caught_by("old-bet-that-is-known")
class OldBetsRefusedThoughKnown(Rules):
    def refusal(self, account, command, moves, *, asks):
        if command.kind is Kind.BET and not asks and time.time() - command.timestamp_ms / 1000 > 60:
            return Code.R3
        return super().refusal(account, command, moves, asks=asks)


@caught_by("a-second-logout-renews-no-grace")
class EveryLogoutIsTheFirst(Rules):
    def logout(self, account, command):
        account.closed_s = time.monotonic()
        return super().logout(account, command)


@caught_by("refusal-for-its-state-is-remembered")
class RefusalsForgotten(Rules):
    def is_remembered(self, account, command, code):
        return code is Code.R0 or (command.kind is Kind.BET and code is Code.R4)


@caught_by("a-repeated-login-opens-nothing", "a-repeated-logout-closes-nothing", "conflict-with-a-login")
class SessionsRememberNothing(Rules):
    def is_remembered(self, account, command, code):
        return command.kind not in {Kind.LOGIN, Kind.LOGOUT} and super().is_remembered(account, command, code)


@caught_by("bet-takes-its-stake")
class SendsElsewhere(Endpoint):
    async def handle(self, request):
        if "again" in request.query:
            return await super().handle(request)
        raise web.HTTPTemporaryRedirect(f"{request.url}?again")


@caught_by("texts-in-place-of-numbers", "amounts-as-texts-throughout")
class LaxAboutResults(Endpoint):
    """Strict about bets; takes texts for the amounts of what follows them."""

    def decode(self, text):
        if b'"event_type":"bet"' not in text:
            text = re.sub(rb'("(?:\w+_amount|\w*winloss|\w*winloss_before)":)"(-?[0-9.]+)"', rb"\1\2", text)
        return super().decode(text)


@caught_by("finer-than-the-currency")
class TruncatesCancelAmounts(Endpoint):
    def decode(self, text):
        if b'"event_type":"bet_cancel"' in text:
            text = re.sub(rb"(_amount\":[0-9]+\.[0-9]{2})[0-9]+", rb"\1", text)
        return super().decode(text)


@caught_by("batch-of-nothing", "batch-of-501")
class LaxAboutBatchesOfResults(Endpoint):
    def invalid(self, invalid):
        if invalid.reason is Reason.ITEMS and invalid.echo.event_type not in {"bet", "bet_cancel"}:
            balance = self.rules.accounts[invalid.echo.user_id].balance
            return self.reply(invalid.echo, Answer(Code.R0, "", balance))
        return super().invalid(invalid)


# ---------------------------------------------------------------------- wallets that do not think


class FixedAnswer(Endpoint):
    """No wallet at all: one answer to whatever comes."""

    def __init__(self, status, body):
        super().__init__(Rules())
        self.status, self.body = status, body

    async def handle(self, request):
        await request.read()
        return web.Response(status=self.status, body=self.body)


class FixedCode(Endpoint):
    """One code to everybody, sealed and with the right echo; a balance with R0 and R4, never another."""

    def __init__(self, code):
        super().__init__(Rules(grace_s=0.2))
        self.code = code

    def stranger(self, request):
        return web.json_response({"code": "R2"}) if self.code is Code.R2 else self.undecryptable(b"")

    def reply(self, echo, answer, command=None):
        balance = FUNDS if self.code in {Code.R0, Code.R4} else None
        return super().reply(echo, Answer(self.code, "", balance, 0, CURRENCY), command)
