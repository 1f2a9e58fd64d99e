"""What is asked once before the first case: whether a run would tell more than one failure, two hundred times.

A wallet that is wrong is for the cases to tell. So a run is stopped only if a player who is known cannot be let in
either, which every case with a player begins with.
"""

from __future__ import annotations

from contextlib import suppress

from seamless_wallet.commands import Code
from seamless_wallet.conformance.case_context import FUNDS, Scene, World
from seamless_wallet.conformance.case_events import Event
from seamless_wallet.conformance.case_player import Player
from seamless_wallet.conformance.case_result import CaseFailed, CaseSkipped, ConformanceError
from seamless_wallet.conformance.cash_desks import NotDone
from seamless_wallet.conformance.raw_webhook import Raw, Wire, excerpt

_OK = 200


async def probe(world: World) -> None:
    """Ask for a stranger and for each player to play with. Raises ConformanceError with one line."""
    scene = Scene(world)
    try:
        trouble = await _trouble_with(scene.stranger().login())
        players = await _players(scene)
        if trouble and all([await _trouble_with(player.login()) for player in players]):
            raise ConformanceError(f"{world.wire.url} {trouble}")
        for player in players:
            await scene.let_in(player)
    except CaseFailed as failure:
        said, _, _ = str(failure).partition("\n")
        raise ConformanceError(f"{world.wire.url}: {said}") from None


async def _players(scene: Scene) -> list[Player]:
    """Those who are given, or a new one as the cases make them. Raises ConformanceError."""
    try:
        if scene.world.given:
            await _run_port_once(scene)
            return [Player(scene, user_id, 0, shared=True) for user_id in scene.world.given]
        return [await scene.new_player(f"conf-{scene.unique()}", FUNDS, login=False)]
    except CaseFailed as failure:
        raise ConformanceError(str(failure)) from None
    except CaseSkipped as missing:
        raise ConformanceError(f"{missing}, which no case can do without: name players by --player") from None


async def _run_port_once(scene: Scene) -> None:
    """Whether there is a cash desk at all; what it says is for the cases. Raises CaseFailed if it does not run."""
    with suppress(NotDone, CaseSkipped):
        await scene.port.do("balance", scene.world.given[0], scene.currency)


async def _trouble_with(event: Event) -> str:
    """What is wrong with the answer to an event, whoever it is about; nothing if a reply could be read."""
    wire = event.player.scene.wire
    raw = await event.posted()
    if raw.status != _OK:
        return f"answers HTTP {raw.status}, but a webhook answers every event by HTTP 200: is this its address?"
    try:
        text = wire.opened(raw)
    except CaseFailed:
        return _trouble_with_seal(wire, raw)
    try:
        reply = wire.read(text)
    except CaseFailed as failure:
        return f"answers what opens to no reply ({failure}): it has another profile, cipher or key"
    return "answers R2: it knows another Api-Id or cipher, or refuses this address" if reply.code is Code.R2 else ""


def _trouble_with_seal(wire: Wire, raw: Raw) -> str:
    """Why an answer may not open."""
    if b"R2" in raw.body:
        return f"answers {excerpt(raw.body)}: it knows another Api-Id, Api-Key or cipher"
    if raw.headers.get("Api-Key") == wire.headers["Api-Key"]:
        return "knows the Api-Key, but its answer does not open with it: it has another cipher or key encoding"
    return f"answers {excerpt(raw.body)!r}, which does not open with the key: is this its address, cipher and key?"
