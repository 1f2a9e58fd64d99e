"""A wallet in memory behind real HTTP: webhook and back office on one port. It may be told to lie."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import contextmanager

import msgspec
from aiohttp import web

from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.money import format_minor, parse_minor
from seamless_wallet.providers import Provider, build_provider
from seamless_wallet.simulator.oracle import Oracle

TOKEN = "token-of-a-fake-wallet"
KEY = "0123456789abcdef0123456789abcdef"
SCALE = 2


def fake_provider(**changes) -> Provider:
    """A provider with a key that everybody knows."""
    given = {"name": "demo", "api_id": "op", "api_key": KEY, "currencies": {"KRW": SCALE, "USD": SCALE}}
    return build_provider(random_bytes=os.urandom, **{**given, **changes})


class FakeWallet:
    """Decides as the oracle does, unless `meddle` (command, answer, wallet of the player) says something else.

    `before` is asked before anything happens and may answer the HTTP request itself. `seen` are the events of players
    whom it knows.
    """

    def __init__(self, provider: Provider | None = None) -> None:
        self.provider = provider or fake_provider()
        self.players: dict[str, Oracle] = {}
        self.status: dict[str, str] = {}
        self.currency: dict[str, str] = {}
        self.movements: dict[tuple[str, str], dict[str, str]] = {}
        self.seen: list = []
        self.balanced = True
        self.noted: list[tuple[str, str, dict]] = []
        self.meddle: Callable = lambda _command, answer, _oracle: answer
        self.before: Callable[[web.Request], Awaitable[web.Response | None]] | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/webhook/demo", self._webhook)
        app.router.add_post("/v1/players", self._create)
        app.router.add_get("/v1/players/{user:[^/]+}", self._show)
        app.router.add_patch("/v1/players/{user:[^/]+}", self._set_status)
        app.router.add_post("/v1/players/{user:[^/]+}/{movement}", self._move)
        app.router.add_post("/v1/imports", self._import)
        app.router.add_post("/v1/calls/{call}/{what}", self._note_call)
        app.router.add_delete("/v1/players/{user:[^/]+}/calls", self._note_call)
        app.router.add_get("/v1/trial-balance", self._trial_balance)
        return app

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        if self.before is not None and (early := await self.before(request)) is not None:
            return early
        key = self.provider.match_key(request.headers["Api-Key"])
        if key is None:
            return web.Response(body=b'{"code":"R2"}', content_type="application/json")
        incoming = self.provider.profile.decode(self.provider.open(await request.read(), key), self.provider, 0)
        command = incoming.command
        oracle = self.players.get(command.user_id)
        if oracle is None:
            answer = Answer(Code.R3, "unknown_player")
        else:
            self.seen.append(command)
            ruling = oracle.judge(command)
            answer = Answer(ruling.code, ruling.row, ruling.balance, oracle.debt, self.currency[command.user_id])
            answer = self.meddle(command, answer, oracle)
        text = self.provider.profile.encode_reply(incoming.echo, answer, SCALE)
        return web.Response(body=self.provider.seal(text, key), headers=self.provider.headers(key))

    def create(self, user_id: str, currency: str = "KRW", balance: int = 0) -> None:
        self.players[user_id] = Oracle(self.provider.policy, balance)
        self.currency[user_id] = currency
        self.status[user_id] = "active"

    def _state(self, user_id: str) -> web.Response:
        oracle = self.players[user_id]
        return web.json_response(
            {
                "user_id": user_id,
                "currency": self.currency[user_id],
                "status": self.status[user_id],
                "balance": format_minor(oracle.balance, SCALE),
                "debt": format_minor(oracle.debt, SCALE),
                "version": 1,
            }
        )

    def _refusal(self, request: web.Request, *, known: bool = True) -> web.Response | None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "unauthorized", "send the header Authorization: Bearer <admin token>")
        if known and request.match_info["user"] not in self.players:
            return problem(404, "unknown-player", "create the player first")
        return None

    async def _create(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, known=False)) is not None:
            return refusal
        body = await request.json()
        if body["user_id"] not in self.players:
            self.create(body["user_id"], body["currency"])
        return self._state(body["user_id"])

    async def _import(self, request: web.Request) -> web.Response:
        results = []
        for player in (await request.json())["players"]:
            is_known = player["user_id"] in self.players
            if not is_known:
                self.create(player["user_id"], player["currency"], parse_minor(player["balance"], SCALE))
            refused = player["currency"] != self.currency[player["user_id"]]
            outcome = "refused" if refused else "known" if is_known else "taken"
            results.append({"outcome": outcome, "problem": "player-exists" if refused else None, "detail": "no"})
        return self._refusal(request, known=False) or web.json_response({"results": results})

    async def _note_call(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        self.noted.append((request.method, request.path, body))
        call = request.match_info.get("call", "")
        told = {
            "id": call,
            "acknowledged": "now",
            "replay_of": call,
            "code": "R0",
            "reason": "cancel",
            "user_id": request.match_info.get("user", ""),
            "erased": 3,
        }
        return self._refusal(request, known=False) or web.json_response(told)

    async def _show(self, request: web.Request) -> web.Response:
        return self._refusal(request) or self._state(request.match_info["user"])

    async def _set_status(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        user = request.match_info["user"]
        self.status[user] = (await request.json())["status"]
        return self._state(user)

    async def _move(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self.before is not None and (early := await self.before(request)) is not None:
            return early
        user, key = request.match_info["user"], request.headers["Idempotency-Key"]
        oracle, amount = self.players[user], (await request.json())["amount"]
        minor = parse_minor(amount, SCALE)
        if (user, key) not in self.movements:
            if request.match_info["movement"] == "withdrawals":
                if minor > oracle.balance - oracle.debt:
                    return problem(409, "insufficient-funds", "nothing was moved")
                minor = -minor
            oracle.deposit(minor)
        replayed = (user, key) in self.movements
        kind = Kind.DEPOSIT if request.match_info["movement"] == "deposits" else Kind.WITHDRAW
        moved = {"user_id": user, "transaction_id": key, "kind": kind, "currency": self.currency[user]}
        self.movements[user, key] = moved | {"amount": amount}
        return web.json_response(
            self.movements[user, key] | {"balance": format_minor(oracle.balance, SCALE), "replayed": replayed}
        )

    async def _trial_balance(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, known=False)) is not None:
            return refusal
        total = "0.00" if self.balanced else "0.01"
        accounts = {"player": "5.00", "debt": "0.00", "house": "-5.00", "cash": "0.00", "total": total}
        currencies = {"KRW": {**accounts, "houses": {}, "balanced": self.balanced}}
        return web.json_response({"currencies": currencies, "balanced": self.balanced})


def problem(status: int, kind: str, detail: str) -> web.Response:
    """What the back office answers when it refuses."""
    body = {"type": f"urn:problem-type:{kind}", "title": f"No, {kind}", "status": status, "detail": detail}
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/problem+json")


@contextmanager
def serving(wallet: FakeWallet):
    """Serve it from a thread with a loop of its own, for commands that bring their own loop. Yields the URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, str]:
        runner = web.AppRunner(wallet.app(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"

    runner, url = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield url
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
