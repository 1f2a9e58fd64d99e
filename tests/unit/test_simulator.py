from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seamless_wallet.cli.demo import SEED
from seamless_wallet.clients.admin_api import AdminClient, AdminError, AdminRefused, AdminUnreachable
from seamless_wallet.clients.back_office_ports import BackOfficeRefused
from seamless_wallet.clients.target import OperatorChoices, Target, TargetError
from seamless_wallet.commands import Answer, Code, Command, Item, Kind, Policy
from seamless_wallet.providers.dowinn_v3 import DowinnV3
from seamless_wallet.providers.profile import Incoming, Sender
from seamless_wallet.simulator import Chaos, Simulation, simulate
from seamless_wallet.simulator.oracle import Oracle
from tests.unit.fake_wallet import TOKEN, FakeWallet, fake_provider, problem


@pytest.fixture
async def play(aiohttp_server_of):
    """Let the simulator play against a fake wallet."""

    async def run(wallet: FakeWallet, **changes):
        url = await aiohttp_server_of(wallet)
        policy = wallet.provider.policy
        target: dict[str, Any] = {
            "provider": wallet.provider,
            "url": f"{url}/webhook/demo",
            "currency": "KRW",
            "admin": (url, TOKEN),
            "choices": OperatorChoices(
                "required" if policy.session_required else "off", policy.cancel_unknown, policy.change_overdraw
            ),
            "decline_memory_s": 3600.0,
        }
        target |= {name: changes.pop(name) for name in list(changes) if name in Target.__dataclass_fields__}
        given = {"seed": 7, "players": 3, "rounds": 6, "chaos": Chaos.of(0.3, 0.3), "retry_s": 5}
        return await simulate(Simulation(target=Target(**target), **{**given, **changes}))

    return run


@pytest.fixture
async def aiohttp_server_of():
    """Serve a fake wallet in this loop; its URL."""
    servers = []

    async def serve(wallet: FakeWallet) -> str:
        server = TestServer(wallet.app())
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield serve
    for server in servers:
        await server.close()


class WrongEcho(DowinnV3):
    """A format that reads an echo which was not sent."""

    def __init__(self, **wrong: Any) -> None:
        self._wrong = wrong

    def decode(self, text: bytes, sender: Sender, received_ms: int) -> Incoming:
        incoming = super().decode(text, sender, received_ms)
        return msgspec.structs.replace(incoming, echo=msgspec.structs.replace(incoming.echo, **self._wrong))


class InMilliseconds(DowinnV3):
    """A format that counts milliseconds, and repeats them."""

    def encode_event(self, command: Command, scale: int, event_type: str | None = None) -> bytes:
        seconds = b'"timestamp":%d' % (command.timestamp_ms // 1000)
        return super().encode_event(command, scale, event_type).replace(seconds, seconds + b"000")


class TestAFormat:
    """The simulator knows what it sent, and does not ask the format that it tries."""

    @pytest.mark.parametrize("wrong", [{"user_id": "mallory"}, {"timestamp": 1}, {"event_type": "bet_2"}], ids=str)
    async def test_that_repeats_something_else_is_found(self, play, wrong):
        report = await play(FakeWallet(replace(fake_provider(), profile=WrongEcho(**wrong))), players=1)
        assert not report["ok"]
        assert str(next(iter(wrong.values()))) in report["mismatches"][0]["got"]

    async def test_may_count_milliseconds(self, play):
        report = await play(FakeWallet(replace(fake_provider(), profile=InMilliseconds())))
        assert report["ok"], report["mismatches"]


class TestAHonestWallet:
    async def test_passes_with_every_kind_of_event_and_answer(self, play):
        report = await play(FakeWallet(), players=10, rounds=10)
        assert report["ok"], report["mismatches"]
        assert set(report["events"]) == {
            "login",
            "logout",
            "bet",
            "bet_cancel",
            "bet_result",
            "bet_result_change",
            "result_change",
        }
        assert set(report["events"]["bet"]) == {"R0", "R1", "R3", "R4"}
        assert report["rounds"] == 100
        assert report["retries"] == 0
        assert report["trial_balance"] == {"KRW": "0.00"}
        json.dumps(report)

    @pytest.mark.parametrize(
        "policy",
        [Policy(session_required=False), Policy(cancel_unknown="r3"), Policy(change_overdraw="reject")],
        ids=["no session", "cancel_unknown r3", "overdraw reject"],
    )
    async def test_passes_whatever_the_provider_s_policy(self, play, policy):
        report = await play(FakeWallet(fake_provider(policy=policy)), chaos=Chaos.of(0.5, 0.3))
        assert report["ok"], report["mismatches"]

    async def test_is_asked_the_same_again_with_the_same_seed(self, play):
        """Ids and times differ between runs; what is played does not."""

        async def played(seed: int) -> list:
            wallet = FakeWallet()
            await play(wallet, players=1, seed=seed)
            return [(command.kind, command.items) for command in wallet.seen]

        assert await played(1) == await played(1) != await played(2)

    async def test_may_be_interrupted_without_anything_being_lost(self, play):
        """Answers that never come, R1 before and after the deed, a proxy's 502: the retry decides."""
        wallet, count = FakeWallet(), 0

        async def before(request: web.Request) -> web.Response | None:
            nonlocal count
            count += 1
            if count % 11 == 0 and request.transport is not None:
                request.transport.close()
            return web.Response(status=502) if count % 13 == 0 else None

        def meddle(command: Command, answer: Answer, _: Oracle) -> Answer:
            return Answer(Code.R1, "deadline") if count % 7 == 0 else answer

        wallet.before, wallet.meddle = before, meddle
        report = await play(wallet, retry_s=20, rounds=4)
        assert report["ok"], report["mismatches"]
        assert report["retries"] > 5
        assert report["unanswered"] > 0

    async def test_may_forget_a_decline_only_with_a_redis_that_was_lost(self, play):
        """Row 6: kept while the epoch lasts. Without any disturbance forgetting is a mismatch."""

        def forget(command: Command, answer: Answer, oracle: Oracle) -> Answer:
            if command.kind is Kind.BET and answer.code is Code.R4 and answer.reason == "1":
                ruling = oracle.judge_afresh(command)
                return Answer(ruling.code, ruling.row, ruling.balance)
            return answer

        chaos = Chaos(insufficient=1.0)
        wallet = FakeWallet()
        wallet.meddle = forget
        report = await play(wallet, chaos=chaos)
        assert not report["ok"]
        assert report["mismatches"][0]["row"] == "1"

        forgetful, calls = FakeWallet(), 0

        async def disturb(request: web.Request) -> web.Response | None:
            nonlocal calls
            calls += "webhook" in request.path
            return web.Response(status=503) if calls == 2 else None  # the first asks whether there is a webhook

        forgetful.before, forgetful.meddle = disturb, forget
        report = await play(forgetful, chaos=chaos, players=1)
        assert report["ok"], report["mismatches"]
        assert report["forgotten_declines"] == 6

    async def test_is_played_with_a_player_who_exists(self, play):
        wallet = FakeWallet()
        wallet.create("ann", "USD", 500_00)
        report = await play(wallet, given_players=("ann",))
        assert report["ok"], report["mismatches"]
        assert {command.user_id for command in wallet.seen} == {"ann"}

    async def test_shows_every_kind_of_event_in_the_session_that_the_demo_proposes(self, play):
        wallet = FakeWallet()
        wallet.create("ann", "KRW", 1_000_000_00)
        report = await play(wallet, given_players=("ann",), rounds=1, seed=SEED, chaos=Chaos.of(0.1, 0.1))
        kinds = Counter(command.kind for command in wallet.seen)
        assert kinds == dict.fromkeys((Kind.LOGIN, Kind.BET, Kind.CANCEL, Kind.RESULT, Kind.CHANGE, Kind.LOGOUT), 1)
        assert report["ok"]

    async def test_leaves_a_line_for_each_acknowledgement(self, play, tmp_path: Path):
        acks = tmp_path / "acks.jsonl"
        report = await play(FakeWallet(), acks=acks)
        lines = [json.loads(line) for line in acks.read_text().splitlines()]
        assert len(lines) == sum(counts.get("R0", 0) for counts in report["events"].values())
        assert set(lines[0]) == {"user_id", "transaction_id", "event_type", "balance"}


def _higher(balance_by: int):
    def meddle(command: Command, answer: Answer, _: Oracle) -> Answer:
        if command.kind is Kind.RESULT and answer.balance is not None:
            return msgspec.structs.replace(answer, balance=answer.balance + balance_by)
        return answer

    return meddle


def _credits_twice(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    """A repeated result is paid again, silently: only the next answer shows it."""
    if command.kind is Kind.RESULT and answer.reason == "1":
        oracle.balance += 1000
    return answer


def _drops_bets(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    """Says R0 with the right balance, and keeps nothing."""
    if command.kind is Kind.BET and answer.code is Code.R0:
        oracle.balance += sum(item.amount for item in command.items)
    return answer


def _drops_last_change(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    """What the last answers of all rested on is gone; only the state at the end shows it."""
    if command.kind is Kind.LOGOUT:
        oracle.balance += 1
    return answer


def _forgets_debt(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    oracle.debt = 0
    return answer


def _takes_too_much(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    return msgspec.structs.replace(answer, code=Code.R0) if answer.code is Code.R4 else answer


def _refuses_results(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    return Answer(Code.R3, "no") if command.kind is Kind.RESULT else answer


def _says_no_balance(command: Command, answer: Answer, oracle: Oracle) -> Answer:
    return msgspec.structs.replace(answer, balance=None)


class TestALyingWallet:
    @pytest.mark.parametrize(
        "lie",
        [
            _higher(1),
            _higher(-1),
            _credits_twice,
            _drops_bets,
            _drops_last_change,
            _forgets_debt,
            _takes_too_much,
            _refuses_results,
            _says_no_balance,
        ],
        ids=lambda lie: lie.__name__.strip("_"),
    )
    async def test_is_found_out(self, play, lie):
        wallet = FakeWallet()
        wallet.meddle = lie
        report = await play(wallet, chaos=Chaos.of(0.6, 0.5), retry_s=0.2)
        assert not report["ok"]
        assert report["mismatch_count"] >= len(report["mismatches"]) > 0

    async def test_is_found_out_by_its_books(self, play):
        wallet = FakeWallet()
        wallet.balanced = False
        report = await play(wallet)
        assert [mismatch["what"] for mismatch in report["mismatches"]] == ["trial balance in KRW"]

    async def test_is_found_out_when_it_never_decides(self, play):
        wallet = FakeWallet()
        wallet.meddle = lambda *_: Answer(Code.R1, "deadline")
        report = await play(wallet, players=1, retry_s=0.2)
        (mismatch,) = report["mismatches"]
        assert "no decision within 0.2 s" in mismatch["got"]

    async def test_is_found_out_when_it_does_not_seal(self, play):
        """Though it did when it was asked first."""
        wallet, calls = FakeWallet(), 0

        async def unsealed(request: web.Request) -> web.Response | None:
            nonlocal calls
            calls += "webhook" in request.path
            return web.Response(text="R0") if calls > 1 and "webhook" in request.path else None

        wallet.before = unsealed
        report = await play(wallet, players=1)
        assert "does not open" in report["mismatches"][0]["got"]

    async def test_has_ten_of_its_lies_shown(self, play):
        wallet = FakeWallet()
        wallet.meddle = _refuses_results
        report = await play(wallet, players=15)
        assert report["mismatch_count"] == 15
        assert len(report["mismatches"]) == 10


class TestARunThatCannotBegin:
    async def test_says_that_there_is_no_webhook(self, play, unused_tcp_port):
        """At once, however long events would be repeated."""
        with pytest.raises(TargetError, match=r"/hook: no answer: connection refused"):
            await play(FakeWallet(), url=f"http://127.0.0.1:{unused_tcp_port}/hook", retry_s=60)

    async def test_says_that_the_wallet_does_not_accept_the_key(self, play):
        with pytest.raises(TargetError, match="it knows another Api-Id, Api-Key or cipher"):
            await play(FakeWallet(), provider=fake_provider(api_key="f" * 32))

    async def test_says_that_the_wallet_does_not_seal(self, play):
        wallet = FakeWallet()

        async def unsealed(request: web.Request) -> web.Response | None:
            return web.Response(text="R0") if "webhook" in request.path else None

        wallet.before = unsealed
        with pytest.raises(TargetError, match="does not open with the key"):
            await play(wallet)

    async def test_says_that_there_is_no_back_office(self, play, unused_tcp_port):
        with pytest.raises(TargetError, match=r"no back office at .*: connection refused"):
            await play(FakeWallet(), admin=(f"http://127.0.0.1:{unused_tcp_port}", TOKEN))

    async def test_says_bare_that_money_may_have_come_or_not(self, play):
        """Not in a group of exceptions, though several players get the same."""
        wallet = FakeWallet()

        async def before(request: web.Request) -> web.Response | None:
            return problem(503, "outcome-unknown", "repeat") if request.path.endswith("/deposits") else None

        wallet.before = before
        with pytest.raises(BackOfficeRefused, match="repeat"):
            await play(wallet, players=5, retry_s=0.2)

    async def test_says_that_the_token_is_wrong(self, play, aiohttp_server_of):
        wallet = FakeWallet()
        with pytest.raises(TargetError, match="Bearer"):
            await play(wallet, admin=(await aiohttp_server_of(wallet), "another"))

    async def test_says_that_there_is_no_such_player(self, play):
        with pytest.raises(TargetError, match="create the player first"):
            await play(FakeWallet(), given_players=("nobody",))

    async def test_says_that_the_player_is_blocked(self, play):
        wallet = FakeWallet()
        wallet.create("ann")
        wallet.status["ann"] = "blocked"
        with pytest.raises(TargetError, match="ann is blocked"):
            await play(wallet, given_players=("ann",))

    async def test_says_that_the_currency_is_not_the_provider_s(self, play):
        with pytest.raises(TargetError, match="is not configured for EUR; pass --currency with one of: KRW, USD"):
            await play(FakeWallet(), currency="EUR")

    @pytest.mark.parametrize("url", ["", "localhost", "ftp://x/", "http://", "http://x:99999/"])
    async def test_says_that_the_url_is_none(self, play, url):
        with pytest.raises(TargetError, match="is not the http:// URL of a webhook"):
            await play(FakeWallet(), url=url)


@pytest.fixture
def unused_tcp_port() -> int:
    """Where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class TestTheAdminClient:
    async def test_repeats_a_movement_of_unknown_outcome_under_its_key(self, aiohttp_server_of):
        """The first call is done and its answer lost, the second gets 503: the third finds it done, once."""
        wallet, calls = FakeWallet(), 0
        wallet.create("ann")

        async def before(request: web.Request) -> web.Response | None:
            nonlocal calls
            calls += 1
            if calls == 1:
                wallet.players["ann"].deposit(5_00)
                wallet.movements["ann", request.headers["Idempotency-Key"]] = {"user_id": "ann"}
                assert request.transport is not None
                request.transport.close()
            return problem(503, "outcome-unknown", "repeat") if calls == 2 else None

        wallet.before = before
        async with AdminClient(await aiohttp_server_of(wallet), TOKEN) as admin:
            done = await admin.deposit("ann", "5.00")
        assert (calls, done["balance"], done["replayed"]) == (3, "5.00", True)

    async def test_gives_up_after_its_patience(self, aiohttp_server_of):
        wallet = FakeWallet()
        wallet.create("ann")

        async def before(_: web.Request) -> web.Response:
            return problem(503, "outcome-unknown", "the outcome is unknown")

        wallet.before = before
        async with AdminClient(await aiohttp_server_of(wallet), TOKEN, patience_s=0.3) as admin:
            with pytest.raises(AdminRefused, match="unknown"):
                await admin.deposit("ann", "5.00")

    async def test_keeps_an_id_apart_from_the_path(self, aiohttp_server_of):
        wallet = FakeWallet()
        for user_id in ("a/b", "100%", "ä ö", "{x}?y#z"):
            wallet.create(user_id)
            async with AdminClient(await aiohttp_server_of(wallet), TOKEN) as admin:
                assert (await admin.show(user_id)).user_id == user_id

    async def test_says_that_something_else_answers(self):
        async def hello(_: web.Request) -> web.Response:
            return web.Response(text="hello")

        app = web.Application()
        app.router.add_get("/{any:.*}", hello)
        async with TestServer(app) as server, AdminClient(str(server.make_url("")), TOKEN, patience_s=0) as admin:
            with pytest.raises(AdminError, match=r"is no back office \(HTTP 200\)"):
                await admin.show("ann")

    async def test_follows_nobody_elsewhere(self):
        """Neither the token nor a movement of money goes where somebody points to."""
        asked = []

        async def elsewhere(request: web.Request) -> web.Response:
            asked.append(request.path)
            return web.json_response({"detail": "moved"}, status=307, headers={"Location": "/elsewhere"})

        app = web.Application()
        app.router.add_route("*", "/{any:.*}", elsewhere)
        async with TestServer(app) as server, AdminClient(str(server.make_url("")), TOKEN, patience_s=0) as admin:
            with pytest.raises(AdminError, match="moved"):
                await admin.deposit("ann", "5.00")
        assert asked == ["/v1/players/ann/deposits"]

    async def test_waits_for_a_back_office_only_if_told_to(self, unused_tcp_port, monkeypatch):
        slept = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        url = f"http://127.0.0.1:{unused_tcp_port}"
        async with AdminClient(url, TOKEN, patience_s=0.5) as admin:
            with pytest.raises(AdminUnreachable):
                await admin.show("ann")
        assert not slept
        async with AdminClient(url, TOKEN, patience_s=0.5, persistent=True) as admin:
            with pytest.raises(AdminUnreachable):
                await admin.show("ann")
        assert slept


# ---------------------------------------------------------------------- the oracle, row by row


def event(kind: Kind, *items: Item, at_s: int = 1000, tx: str = "", game: str = "g") -> Command:
    """A new event of ann's."""
    event.count += 1  # type: ignore[attr-defined]
    return Command(
        kind=kind,
        provider="demo",
        user_id="ann",
        transaction_id=tx or f"t{event.count}",  # type: ignore[attr-defined]
        timestamp_ms=at_s * 1000,
        received_ms=0,
        currency="KRW" if items else "",
        game_no=game if items else "",
        items=items,
    )


event.count = 0  # type: ignore[attr-defined]


def item(index: str = "1", amount: int = 100, winloss: int = 0, before: int = 0) -> Item:
    """One bet."""
    return Item(index, "banker", amount, winloss, before)


@pytest.fixture
def oracle() -> Oracle:
    """A player with 1000 who is logged in."""
    oracle = Oracle(Policy(), 1000)
    assert oracle.judge(event(Kind.LOGIN))[:2] == (Code.R0, 1000)
    return oracle


class TestTheOracle:
    def test_takes_a_stake_once(self, oracle):
        bet = event(Kind.BET, item())
        assert oracle.judge(bet) == (Code.R0, 900, "30", False)
        assert oracle.judge(bet) == (Code.R0, 900, "1", False)
        other = msgspec.structs.replace(bet, items=(item(amount=101),))
        assert oracle.judge(other)[:3] == (Code.R3, 900, "2")
        assert oracle.judge(event(Kind.BET, item()))[:3] == (Code.R0, 900, "4")
        assert oracle.judge(event(Kind.BET, item(amount=101)))[:3] == (Code.R3, 900, "5")

    def test_takes_all_of_a_batch_or_nothing(self, oracle):
        assert oracle.judge(event(Kind.BET, item("1", 600), item("2", 401)))[:3] == (Code.R4, 1000, "31")
        assert oracle.judge(event(Kind.BET, item("1", 600), item("2", 400)))[:3] == (Code.R0, 0, "30")

    def test_keeps_a_decline_when_money_comes(self, oracle):
        bet = event(Kind.BET, item(amount=1001))
        assert oracle.judge(bet)[:3] == (Code.R4, 1000, "31")
        oracle.deposit(1)
        assert oracle.judge(bet) == (Code.R4, 1001, "1", True)
        assert oracle.judge_afresh(bet) == (Code.R0, 0, "30", False)

    def test_asks_for_a_session(self):
        oracle = Oracle(Policy(), 1000)
        bet = event(Kind.BET, item())
        assert oracle.judge(bet)[:3] == (Code.R1, 1000, "33")
        oracle.judge(event(Kind.LOGIN, at_s=5))
        assert oracle.judge(event(Kind.LOGOUT, at_s=5))[2] == "24"
        assert oracle.judge(bet)[:3] == (Code.R0, 900, "30")

    def test_lets_a_login_count_as_at_most_five_minutes_ahead(self):
        oracle = Oracle(Policy(), 1000, now_ms=lambda: 1_000_000)
        oracle.judge(event(Kind.LOGIN, at_s=10**9))
        assert oracle.judge(event(Kind.LOGOUT, at_s=1_300))[2] == "24"
        assert oracle.judge(event(Kind.LOGOUT, at_s=1_301))[2] == "23"
        assert oracle.judge(event(Kind.BET, item()))[:3] == (Code.R1, 1000, "33")

    def test_refuses_an_old_bet_that_is_not_known(self):
        oracle = Oracle(Policy(bet_age_max_ms=60_000), 1000, now_ms=lambda: 1_000_000)
        assert oracle.judge(event(Kind.BET, item(), at_s=939))[:3] == (Code.R3, 1000, "35")
        oracle.judge(event(Kind.LOGIN, at_s=5))
        assert oracle.judge(event(Kind.BET, item(), at_s=940))[:3] == (Code.R0, 900, "30")
        assert oracle.judge(event(Kind.BET, item(), at_s=939))[:3] == (Code.R0, 900, "4")
        assert oracle.judge(event(Kind.BET, item(), item("2"), at_s=939))[:3] == (Code.R3, 900, "35")

    def test_refunds_what_is_open_and_refuses_what_is_settled(self, oracle):
        oracle.judge(event(Kind.BET, item("1"), item("2", 200)))
        assert oracle.judge(event(Kind.CANCEL, item("1", 99)))[:3] == (Code.R3, 700, "41")
        assert oracle.judge(event(Kind.CANCEL, item("1")))[:3] == (Code.R0, 800, "40")
        assert oracle.judge(event(Kind.CANCEL, item("1")))[:3] == (Code.R0, 800, "42")
        assert oracle.judge(event(Kind.RESULT, item("2", 200, 190)))[:3] == (Code.R0, 1190, "50")
        assert oracle.judge(event(Kind.CANCEL, item("2", 200)))[:3] == (Code.R3, 1190, "44")
        assert oracle.judge(event(Kind.RESULT, item("1")))[:3] == (Code.R3, 1190, "55")

    def test_refuses_a_bet_that_was_cancelled_before_it_came(self, oracle):
        assert oracle.judge(event(Kind.CANCEL, item()))[:3] == (Code.R0, 1000, "43")
        assert oracle.judge(event(Kind.BET, item()))[:3] == (Code.R3, 1000, "34")

    def test_settles_once(self, oracle):
        early = event(Kind.RESULT, item(winloss=95))
        assert oracle.judge(early)[:3] == (Code.R1, 1000, "54")
        oracle.judge(event(Kind.BET, item()))
        assert oracle.judge(event(Kind.RESULT, item(winloss=-101)))[:3] == (Code.R3, 900, "51")
        assert oracle.judge(early)[:3] == (Code.R0, 1095, "50")
        assert oracle.judge(event(Kind.RESULT, item(winloss=95)))[:3] == (Code.R0, 1095, "52")
        assert oracle.judge(event(Kind.RESULT, item(winloss=94)))[:3] == (Code.R3, 1095, "53")

    def test_applies_changes_in_the_order_of_their_values(self, oracle):
        """Delivered 2, 1, 2, and then both again under new ids."""
        oracle.judge(event(Kind.BET, item()))
        oracle.judge(event(Kind.RESULT, item(winloss=-100)))
        first, second = item(winloss=0, before=-100), item(winloss=50, before=0)
        late = event(Kind.CHANGE, second, at_s=20)
        assert oracle.judge(late)[:3] == (Code.R1, 900, "64")
        assert oracle.judge(event(Kind.CHANGE, first, at_s=19))[:3] == (Code.R0, 1000, "61")
        assert oracle.judge(late)[:3] == (Code.R0, 1050, "61")
        assert oracle.judge(event(Kind.CHANGE, first, at_s=19))[:3] == (Code.R0, 1050, "60")
        assert oracle.judge(event(Kind.CHANGE, first, at_s=30))[:3] == (Code.R0, 1050, "63")
        back = item(winloss=-100, before=50)
        assert oracle.judge(event(Kind.CHANGE, back, at_s=14))[:3] == (Code.R1, 1050, "62")
        assert oracle.judge(event(Kind.CHANGE, back, at_s=15))[:3] == (Code.R0, 900, "61")

    def test_lets_a_change_make_debts_which_game_credits_pay(self, oracle):
        oracle.judge(event(Kind.BET, item()))
        oracle.judge(event(Kind.RESULT, item(winloss=800)))
        oracle.judge(event(Kind.BET, item(amount=1700), game="h"))
        assert oracle.judge(event(Kind.CHANGE, item(winloss=-100, before=800)))[:3] == (Code.R0, 0, "61")
        assert oracle.debt == 800
        oracle.deposit(50)
        assert (oracle.balance, oracle.debt) == (50, 800)
        assert oracle.judge(event(Kind.CANCEL, item(amount=1700), game="h"))[:3] == (Code.R0, 950, "40")
        assert oracle.debt == 0
