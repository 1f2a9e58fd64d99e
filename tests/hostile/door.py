"""A whole wallet behind its HTTP endpoint, with one provider for each cipher, for callers who mean no good."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient, TestServer

from seamless_wallet.commands import Command, Item, Kind, Policy
from seamless_wallet.engine import keys
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.observability import metrics
from seamless_wallet.providers import Provider, build_provider
from seamless_wallet.webhook.endpoint import webhook_app
from tests.entries import streamed
from tests.model.service_stage import Town

KEY = "k3y-of-32-bytes-for-tests-only!!"
CIPHERS = {"blocks": "aes-256-ecb", "sealed": "aes-256-gcm"}
USER = "kim"
BODY_MAX = 65_536
FREE = Policy(session_required=False)


class Reply(NamedTuple):
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


class Door:
    """Open one for many tests."""

    def __init__(self) -> None:
        self.town = Town()
        self.numbers = count(1)
        self.providers: dict[str, Provider] = {
            name: build_provider(
                random_bytes=os.urandom,
                name=name,
                api_id="us",
                api_key=KEY,
                currencies={"KRW": 2},
                cipher=cipher,
                policy=FREE,
            )
            for name, cipher in CIPHERS.items()
        }
        self.client: TestClient[Any, Any] = self.town.run(self._serve())
        self.fund(USER, 10**12)

    async def _serve(self) -> TestClient[Any, Any]:
        core = self.town.w.workers[0]
        app = webhook_app(self.providers, core.wallet, body_bytes_max=BODY_MAX, clock=core.clock)
        client: TestClient[Any, Any] = TestClient(TestServer(app))
        await client.start_server()
        return client

    def close(self) -> None:
        self.town.run(self.client.close())
        self.town.close()

    def fund(self, user: str, amount: int) -> None:
        """A player with money."""
        self.town.run(self.town.w.player(user, amount))

    # ------------------------------------------------------------------ calls

    def headers(self, name: str) -> dict[str, str]:
        provider = self.providers[name]
        return provider.headers(provider.keys[0])

    def seal(self, name: str, text: bytes) -> bytes:
        return self.providers[name].seal(text, self.providers[name].keys[0])

    def open(self, name: str, body: bytes) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(self.providers[name].open(body, self.providers[name].keys[0]))
        return opened

    def post(self, name: str, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        """Any body at all. It is HTTP 200, always, and nobody has seen a bug."""
        return self.town.run(self._post(name, body, self.headers(name) if headers is None else headers))

    async def _post(self, name: str, body: bytes, headers: dict[str, str]) -> Reply:
        faults = all_faults()
        async with self.client.post(f"/webhook/{name}", data=body, headers=headers) as response:
            reply = Reply(response.status, dict(response.headers), await response.read())
        assert reply.status == 200
        assert all_faults() == faults
        return reply

    def call(self, name: str, text: bytes) -> str:
        """The code for a text. Only an R0 leaves anything in the ledger, and then one entry."""
        before = self.seqs()
        code = self.open(name, self.post(name, self.seal(name, text)).body)["code"]
        written = sum(self.seqs()) - sum(before)
        assert written in ((0, 1) if code == "R0" else (0,))
        if written:
            check_entry(text, self.last_entry(before))
        return str(code)

    # ------------------------------------------------------------------ looking

    def seqs(self) -> list[int]:
        """Of every shard, in SQL; Redis has nothing beyond it."""
        return self.town.run(self._seqs())

    async def _seqs(self) -> list[int]:
        heads = [head.seq for head in await self.town.w.ledger.heads()]
        assert heads == [int((await self.town.w.head(shard))["seq"]) for shard in range(len(heads))]
        return heads

    def last_entry(self, before: Sequence[int]) -> Entry:
        """The one that came after."""
        shard = next(n for n, (old, new) in enumerate(zip(before, self.seqs(), strict=True)) if old != new)
        return self.town.run(self._newest(shard))

    async def _newest(self, shard: int) -> Entry:
        epoch = (await self.town.w.head(shard))["epoch"]
        rows: Any = await self.town.w.redis.xrevrange(keys.stream(shard, int(epoch)), count=1)
        [(at, fields)] = rows
        return streamed(shard, at, fields)

    # ------------------------------------------------------------------ events

    def event(self, kind: Kind, name: str = "blocks", **fields: Any) -> dict[str, Any]:
        """A valid event of a new identity, as the provider would write it."""
        n = next(self.numbers)
        before = 100 if kind is Kind.CHANGE else 0
        items = tuple(Item(str(i), "player", 10_000, 9_500, before) for i in range(fields.pop("size", 2)))
        command = Command(
            kind=kind,
            provider=name,
            user_id=fields.pop("user_id", USER),
            transaction_id=fields.pop("transaction_id", f"h{n}"),
            timestamp_ms=self.town.w.clock.now_ms(),
            received_ms=0,
            currency="KRW",
            game_no=fields.pop("game_no", f"g{n}"),
            items=items,
            context={"game_type": "b", "table_no": "1", "result": "p", "result_detail": "{}", "feedback_data": "x"},
        )
        event: dict[str, Any] = json.loads(self.providers[name].profile.encode_event(command, 2))
        return event


def all_faults() -> float:
    """Bugs counted so far, of any part."""
    return sum(series.value for series in metrics.UNEXPECTED_ERRORS.series.values())


def check_entry(text: bytes, entry: Entry) -> None:
    """What was accepted is what another, slower reader of JSON reads: nothing twice, every amount exact."""
    read = json.loads(text, object_pairs_hook=_no_repeats, parse_float=Decimal, parse_int=Decimal)
    command = entry.command
    assert (command.user_id, command.transaction_id) == (read["user_id"], read["transaction_id"])
    if "data" not in read or not command.items:
        return
    data = read["data"]
    batch = next(value for key, value in data.items() if key in {"bets", "bet_cancels", "bet_results"})
    assert (command.game_no, command.currency) == (data["game_no"], data["currency"])
    for item, sent in zip(command.items, batch, strict=True):
        assert item.bet_index == sent["bet_index"]
        assert item.amount == sent["bet_amount"] * 100
        assert item.winloss == sent.get("winloss", Decimal(0)) * 100
        assert 0 <= item.amount < 2**53


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs), "accepted with a key twice"
    return dict(pairs)


def rss_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
