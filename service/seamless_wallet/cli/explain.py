"""`wallet explain`: what came under an id, what was decided and why, what the money did, what to tell the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seamless_wallet.cli.calls import ask_calls, found_calls
from seamless_wallet.cli.history import NotInLedger
from seamless_wallet.cli.options import Json
from seamless_wallet.errors import one_line
from seamless_wallet.processes.provider_accounts import load_checked_settings

if TYPE_CHECKING:
    from seamless_wallet.calls.ports import StoredCall
    from seamless_wallet.calls.reasons import Meaning
    from seamless_wallet.calls.record import CallRecord
    from seamless_wallet.ledger.entry import Entry
    from seamless_wallet.stores.kept_calls import KeptCalls

FOUND_MAX: Final = 200
"""Calls that are looked through for events with an id."""

CODES: Final = {
    "R0": "processed",
    "R1": "failed for now",
    "R2": "unauthorized",
    "R3": "not valid",
    "R4": "not enough balance",
}

SLOW_US: Final = 100_000
"""A call that took longer tells where it was."""

TEXT_CHARACTERS_MAX: Final = 600
"""Of a request or reply that is shown."""

_PHASES: Final = {
    "open_us": "opening the body",
    "queue_us": "what came before Redis: look-ups, and other tries",
    "redis_us": "Redis",
    "commit_us": "the commit in the ledger, or a look-up there",
    "seal_us": "sealing the reply",
}

EventKey = tuple[str, str, str]
"""Provider, user_id, transaction_id."""


def explain(
    any_id: Annotated[
        str, typer.Argument(metavar="ID", help="A transaction_id, a round (game_no), or the id of a call.")
    ],
    provider: Annotated[str, typer.Option("--provider", help="Of this provider.")] = "",
    player: Annotated[str, typer.Option("--player", help="Of this player.")] = "",
    json: Json = False,
) -> None:
    """Explain an event in plain words: what came, what was decided, why, and what the player's money did.

    Reads the history of calls and the ledger, whether the service is running or not. Lists the events if the id is that
    of several.
    """
    try:
        found = ask_calls(lambda store: _calls_about(store, any_id, provider, player))
    except NotInLedger:  # no history at all
        if not (provider and player):
            raise
        found = []
    events: dict[EventKey, list[StoredCall]] = {}
    for stored in found:
        call = stored.call
        events.setdefault((call.provider, call.user_id, call.transaction_id or str(stored.id)), []).append(stored)
    if not events and provider and player:
        events[provider, player, any_id] = []  # the ledger keeps it longer than the history
    if not events:
        raise NotInLedger(
            f"no call with the id {any_id} is kept; with --provider and --player the ledger is asked, too"
        )
    if len(events) > 1:
        _list_events(events, json=json)
        return
    ((key, tries),) = events.items()
    told = _explained(key, sorted(tries, key=lambda stored: stored.id))
    if json:
        import msgspec

        typer.echo(msgspec.json.encode(told))
        return

    for heading, lines in told.items():
        typer.echo(f"{heading}:")
        for line in lines:
            typer.echo(f"  {one_line(line)}")


async def _calls_about(store: KeptCalls, any_id: str, provider: str, player: str) -> Sequence[StoredCall]:
    """Calls under a transaction_id, else of a round, else with that id, and all others about its event."""
    import msgspec

    from seamless_wallet.calls.ports import CallsQuery, call_id_in

    for query in (CallsQuery(transaction_id=any_id), CallsQuery(game_no=any_id)):
        narrowed = msgspec.structs.replace(query, provider=provider, user_id=player, limit=FOUND_MAX)
        if found := await found_calls(store, narrowed):
            return found
    call_id = call_id_in(any_id)
    stored = None if call_id is None else await store.call(call_id)
    if stored is None:
        return []
    others = await store.tries(stored.call, FOUND_MAX) or [stored]
    newest = await store.call(others[-1].id)  # whose texts are shown
    return [*others[:-1], newest or others[-1]]


def _list_events(events: dict[EventKey, list[StoredCall]], *, json: bool) -> None:
    from seamless_wallet.backoffice.responses import iso_utc
    from seamless_wallet.cli.history import show_rows

    rows = []
    for (provider, user_id, transaction_id), tries in events.items():
        newest = tries[0].call
        rows.append(
            {
                "time": iso_utc(newest.received_ms),
                "provider": provider,
                "player": user_id,
                "id": transaction_id,
                "event": newest.event,
                "code": newest.code,
                "reason": newest.reason,
                "calls": len(tries),
            }
        )
    show_rows(rows, tuple(rows[0]), json=json)
    if not json:
        typer.echo("Several events: explain one of them by its id, with --provider and --player if need be.")


def _explained(key: EventKey, tries: Sequence[StoredCall]) -> dict[str, list[str]]:
    """Headings, each with its lines."""
    entry, scale, player_known = asyncio.run(_in_ledger(*key))
    told = {"What came": [_call_line(stored) for stored in tries] or ["no call that is still kept"]}
    if tries:
        told["What was asked and answered last"] = _texts(tries[-1])
        told["What was decided, and why"] = _decisions(tries)
        if tell := _meaning_of(tries[-1]).tell:
            told["What to tell the provider"] = [tell]
    told["What the player's money did"] = _money_lines(entry, scale, player_known=player_known, user_id=key[1])
    return told


def _meaning_of(stored: StoredCall) -> Meaning:
    from seamless_wallet.calls.reasons import MEANINGS, Meaning

    return MEANINGS.get(stored.call.reason) or Meaning(f"The reason is `{stored.call.reason}`.")


def _decisions(tries: Sequence[StoredCall]) -> list[str]:
    """Each code and reason once, in the order in which they came, with what was wrong in the request."""
    lines: dict[str, None] = {}
    for stored in tries:
        call = stored.call
        lines[f"{call.code}, {CODES[call.code]} ({call.reason}). {_meaning_of(stored).why}"] = None
        if call.place or call.problem:
            lines[f"In the request: {call.place or 'the text'} {call.problem or 'is wrong'}."] = None
    return list(lines)


def _texts(stored: StoredCall) -> list[str]:
    texts = {"Request": stored.request, "Reply": stored.reply}
    return [f"{name}: {_cut(text, stored.id) if text else 'none that could be read'}" for name, text in texts.items()]


def _cut(text: str, call_id: int) -> str:
    if len(text) <= TEXT_CHARACTERS_MAX:
        return text
    return f"{text[:TEXT_CHARACTERS_MAX]}… (`wallet calls show {call_id}` has more)"


def _call_line(stored: StoredCall) -> str:
    from seamless_wallet.backoffice.responses import iso_utc

    call = stored.call
    origin = f"decided again by the back office (call {call.replay_of})" if call.replay_of else f"from {call.peer}"
    unnamed = "an event that we do not know," if call.reason == "event_type" else "an event that could not be read"
    about = " ".join(part for part in (call.event or unnamed, call.game_no) if part)
    return (
        f"{iso_utc(call.received_ms)} {call.provider}: {about} {origin}, answered {call.code} {call.reason} "
        f"after {call.taken_us / 1000:g} ms{_slowest_phase(call)} (call {stored.id})"
    )


def _slowest_phase(call: CallRecord) -> str:
    """Where a slow call was for the longest time."""
    if call.taken_us < SLOW_US:
        return ""
    taken_us, name = max((getattr(call, field), name) for field, name in _PHASES.items())
    return f", {taken_us / 1000:g} of them for {name}"


def _money_lines(entry: Entry | None, scale: int, *, player_known: bool, user_id: str) -> list[str]:
    from seamless_wallet.backoffice.responses import entry_json
    from seamless_wallet.money import format_minor

    if entry is None:
        if not user_id:
            return ["Nothing: the player could not be read from the request."]
        return ["Nothing: the ledger has no such event." if player_known else f"Nothing: there is no player {user_id}."]
    told: dict[str, Any] = entry_json(entry, scale)
    before = entry.decision.balance - entry.decision.balance_delta
    debt = f", debt {told['debt']}" if entry.decision.debt else ""
    sign = "+" if entry.decision.balance_delta > 0 else ""
    moved = f"Balance {format_minor(before, scale)} → {told['balance']} ({sign}{told['balance_delta']}){debt}"
    lines = [f"{moved}, entry {told['seq']} of shard {told['shard']}, {told['received']}."]
    for item in told.get("items", ()):
        result = f", winloss {item['winloss']}" if "winloss" in item else ""
        lines.append(f"Bet {item['bet_index']} ({item['bet_type']}): {item['amount']}{result}: {item['effect']}.")
    return lines


async def _in_ledger(provider: str, user_id: str, transaction_id: str) -> tuple[Entry | None, int, bool]:
    """The entry of an event, its currency's digits, and whether the player is known."""
    from seamless_wallet.processes.ledger_connection import open_ledger

    async with open_ledger(load_checked_settings(), readers=1) as ledger:
        player = await ledger.wallet(user_id) if user_id else None
        if player is None:
            return None, 0, False
        return await ledger.event(provider, user_id, transaction_id), ledger.scales[player.currency], True
