"""A wallet and a ledger in memory, and a client of the admin API before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from seamless_wallet.access_roles import AccessRole, TokenHolder, token_digest
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.calls.spool import Spool
from seamless_wallet.commands import BET_KINDS, Answer, Code, Command, Item, Kind, Policy, event_digest, fingerprint
from seamless_wallet.ledger.bets import BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, fold_round, fold_wallet
from seamless_wallet.ledger.records import (
    EntriesQuery,
    EventRecord,
    FoundEvents,
    LeftOpenQuery,
    LeftOpenRound,
    PlayedRound,
    PlayersQuery,
)
from seamless_wallet.ports import Moments
from seamless_wallet.stores.sqlite_actions import SqliteActions
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from tests.entries import entry_of

TOKEN = "correct horse battery"
TOKENS = {role: f"{role} horse battery" for role in AccessRole} | {AccessRole.ADMIN: TOKEN}
HOLDERS = [TokenHolder(f"{role}-holder", role, token_digest(token)) for role, token in TOKENS.items()]
"""One for each role."""
NOW_MS = 1_767_225_600_123  # 2026-01-01T00:00:00.123Z
SCALES = {"KRW": 2, "JPY": 0}


class FakeClock:
    """Stands still, unless a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.seconds


class FakeRandomness:
    """Counts instead: the first token of 2 bytes is `0001`."""

    def __init__(self) -> None:
        self.count = 0

    def token(self, size: int) -> str:
        self.count += 1
        return f"{self.count:0{2 * size}x}"

    def random_bytes(self, size: int) -> bytes:
        raise NotImplementedError

    def below(self, bound: int) -> int:
        raise NotImplementedError


class FakeLedger:
    """Entries of one shard, folded as the real ledger folds them. Set `down` to have it fail."""

    def __init__(self) -> None:
        self.all: list[Entry] = []
        self.players: dict[str, Wallet] = {}
        self.sums: dict[str, dict[str, int]] = {}
        self.down: Exception | None = None

    def post(self, command: Command, balance_delta: int = 0, debt_delta: int = 0, effects: str = "") -> None:
        before = self.players.get(command.user_id)
        version, balance, debt = (before.version, before.balance, before.debt) if before else (0, 0, 0)
        numbers = (version + 1, balance + balance_delta, debt + debt_delta, balance_delta, debt_delta)
        decided = f"{' '.join(map(str, numbers))} {effects}".encode()
        entry = entry_of(0, 1, len(self.all) + 1, command, decided)
        self.players[command.user_id] = after = fold_wallet(before, entry)
        self.all.append(entry)
        for leg in entry.legs():
            accounts = self.sums.setdefault(after.currency, {})
            accounts[leg.account] = accounts.get(leg.account, 0) + leg.amount

    async def wallet(self, user_id: str) -> Wallet | None:
        if self.down:
            raise self.down
        return self.players.get(user_id)

    async def entries(self, user_id: str, before_seq: int | None, limit: int) -> list[Entry]:
        newest_first = [entry for entry in reversed(self.all) if entry.command.user_id == user_id]
        return [entry for entry in newest_first if before_seq is None or entry.seq < before_seq][:limit]

    async def find_events(self, events: Sequence[tuple[str, bytes]]) -> FoundEvents:
        if self.down:
            raise self.down
        known = {event_digest(entry.command) for entry in self.all}
        return FoundEvents([], {key: EventRecord(key, b"", 1) for _, key in events if key in known})

    async def trial_balance(self) -> dict[str, dict[str, int]]:
        return self.sums


class FakeHistory:
    """What people ask of the entries of a FakeLedger."""

    def __init__(self, ledger: FakeLedger) -> None:
        self._ledger = ledger

    async def players(self, query: PlayersQuery) -> list[Wallet]:
        return [
            wallet
            for user_id, wallet in sorted(self._ledger.players.items())
            if user_id.startswith(query.prefix)
            and query.status in ("", wallet.status)
            and (wallet.debt or not query.owing)
            and user_id > query.after
        ][: query.limit]

    async def history(self, user_id: str, query: EntriesQuery) -> list[Entry]:
        to_ms = query.to_ms or 10**15
        entries = await self._ledger.entries(user_id, query.before_seq, 10**6)
        return [each for each in entries if query.from_ms <= each.command.received_ms < to_ms][: query.limit]

    async def entry_at(self, user_id: str, at_ms: int) -> Entry | None:
        entries = await self._ledger.entries(user_id, None, 10**6)
        return next((each for each in entries if each.command.received_ms <= at_ms), None)

    async def event(self, provider: str, user_id: str, transaction_id: str) -> Entry | None:
        if self._ledger.down:
            raise self._ledger.down
        asked = provider, user_id, transaction_id
        found = (entry.command for entry in self._ledger.all)
        named = [(command.provider, command.user_id, command.transaction_id) for command in found]
        return self._ledger.all[named.index(asked)] if asked in named else None

    async def left_open(self, query: LeftOpenQuery) -> list[LeftOpenRound]:
        found = [
            LeftOpenRound(user_id, player.currency, round_, str(round_.seq))
            for user_id, player in self._ledger.players.items()
            for round_ in await self.rounds(user_id, None, 10**6)
            if any(bet.state is BetState.OPEN for bet in round_.bets.values())
        ]
        return [
            each
            for each in sorted(found, key=lambda found: found.round.seq)
            if each.round.placed_ms < query.before_ms
            and query.provider in ("", each.round.provider)
            and each.round.seq > int(query.after or 0)
        ][: query.limit]

    async def rounds(self, user_id: str, before_seq: int | None, limit: int) -> list[PlayedRound]:
        found: dict[str, PlayedRound] = {}
        for entry in self._ledger.all:
            command = entry.command
            if command.user_id == user_id and command.kind in BET_KINDS:
                place = (command.provider, command.game_no, command.received_ms, entry.seq)
                fold_round(found.setdefault(command.game_no, PlayedRound(*place, {})).bets, entry)  # type: ignore[arg-type]
        newest_first = sorted(found.values(), key=lambda round_: -round_.seq)
        return [round_ for round_ in newest_first if before_seq is None or round_.seq < before_seq][:limit]


class FakeWallet:
    """Decides as the wallet does. Set `answer` to have it answer something else, `fault` to have it raise."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.ledger = ledger
        self.seen: dict[bytes, bytes] = {}
        self.commands: list[Command] = []
        self.answer: Answer | None = None
        self.fault: Exception | None = None

    async def apply(self, command: Command, policy: Policy, moments: Moments | None = None) -> Answer:
        assert policy == Policy()
        self.commands.append(command)
        if self.fault:
            raise self.fault
        return self.answer or self._decide(command)

    def _decide(self, command: Command) -> Answer:
        player = self.ledger.players.get(command.user_id)
        if command.kind is Kind.CREATE:
            if player:
                return Answer(Code.R0, "exists", player.balance, player.debt, player.currency)
            return self._post(command, 0)
        if player is None:
            return Answer(Code.R3, "unknown_player")
        now = (player.balance, player.debt, player.currency)
        if said := self.seen.get(event_digest(command)):
            same = said == fingerprint(command)
            return Answer(Code.R0, "duplicate", *now) if same else Answer(Code.R3, "conflict", *now)
        if command.kind is Kind.WITHDRAW:
            if player.status == "blocked":
                return Answer(Code.R1, "blocked", *now)
            if command.amount > player.balance - player.debt:
                return Answer(Code.R4, "funds", *now)
        return self._post(command, -command.amount if command.kind is Kind.WITHDRAW else command.amount)

    def _post(self, command: Command, delta: int) -> Answer:
        self.seen[event_digest(command)] = fingerprint(command)
        self.ledger.post(command, delta)
        player = self.ledger.players[command.user_id]
        return Answer(Code.R0, command.kind.value, player.balance, player.debt, player.currency)


class Office:
    """A client that carries the token, and what stands behind the server."""

    calls: SqliteCalls
    spool: Spool
    recorded: list[CallRecord]
    actions: SqliteActions

    def __init__(
        self,
        client: TestClient,
        wallet: FakeWallet,
        ledger: FakeLedger,
        health: dict[str, str],
        build: Callable[[], web.Application],
        clock: FakeClock,
    ) -> None:
        self.clock = clock
        self.build = build
        self.client = client
        self.wallet = wallet
        self.ledger = ledger
        self.health = health
        self.check = self.healthy

    async def healthy(self) -> dict[str, str]:
        return self.health

    async def call(self, method: str, path: str, body=None, *, key=None, token=TOKEN, **options):
        """Status, headers and decoded body; asserts that every error is a problem that says its status."""
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        headers |= options.pop("headers", {})
        url = URL(path, encoded=True)
        async with self.client.request(method, url, json=body, headers=headers, **options) as reply:
            content = await reply.json(content_type=None)
            if reply.status < 400:
                assert reply.content_type == "application/json"
            else:
                assert reply.content_type == "application/problem+json"
                assert {"type", "title", "status", "detail"} <= content.keys()
                assert content["status"] == reply.status
                assert "Traceback" not in str(content)
            assert reply.headers["Cache-Control"] == "no-store"
            return reply.status, reply.headers, content

    async def create(self, user_id: str = "ann", currency: str = "KRW"):
        return await self.call("POST", "/v1/players", {"user_id": user_id, "currency": currency})

    async def move(self, what: str, amount: object, key: str | None, user_id: str = "ann"):
        return await self.call("POST", f"/v1/players/{quote(user_id, safe='')}/{what}", {"amount": amount}, key=key)


def slug(body: dict) -> str:
    """The last part of a problem's type."""
    return body["type"].removeprefix("urn:problem-type:")


def fields(body: dict) -> list[str]:
    """The fields that a problem names."""
    return [error["field"] for error in body["errors"]]


def played(kind: Kind, transaction_id: str, item: Item) -> Command:
    """An event of a game provider."""
    return Command(
        kind=kind,
        provider="dowinn",
        user_id="ann",
        transaction_id=transaction_id,
        timestamp_ms=NOW_MS - 1123,
        received_ms=NOW_MS,
        currency="KRW",
        game_no="r1",
        items=(item,),
    )
