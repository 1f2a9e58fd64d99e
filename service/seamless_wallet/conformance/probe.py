"""What is asked once before the first case, so that one mistake of the command line is not told two hundred times.

A wallet that is wrong is for the cases to tell. So a run is stopped only if the login of a player who is known fails,
too, with which every case with a player begins.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from seamless_wallet.clients.error_text import excerpt
from seamless_wallet.clients.webhook import HttpAnswer, NotAReply, WebhookClient, WebhookError
from seamless_wallet.commands import Code
from seamless_wallet.conformance.case_context import FUNDS, CaseContext
from seamless_wallet.conformance.case_errors import BackOfficeRefused, CaseFailed, CaseSkipped, ConformanceError
from seamless_wallet.conformance.case_events import CaseEvent
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.run_context import RunContext

_OK: Final = 200


async def probe(run: RunContext) -> None:
    """Send the login of an unknown player and of each player of the run. Raises ConformanceError with one line."""
    context = CaseContext(run)
    try:
        trouble = await _trouble_with(context.unknown_player().login())
        players = await _players(context)
        if trouble and all([await _trouble_with(player.login()) for player in players]):
            raise ConformanceError(f"{run.webhook.url} {trouble}")
        for player in players:
            await player.find_balance()
    except (CaseFailed, WebhookError) as failure:
        said, _, _ = str(failure).partition("\n")
        raise ConformanceError(f"{run.webhook.url}: {said}") from None


async def _players(context: CaseContext) -> list[CasePlayer]:
    """The given ones, or a new one as the cases make them. Raises ConformanceError."""
    try:
        if context.given_players:
            await _ask_back_office_once(context)
            return context.given_players
        return [await context.new_player(f"conf-{context.unique_id()}", FUNDS, login=False)]
    except CaseFailed as failure:
        raise ConformanceError(str(failure)) from None
    except CaseSkipped as missing:
        raise ConformanceError(f"{missing}, and every case needs it: pass --player with existing players") from None


async def _ask_back_office_once(context: CaseContext) -> None:
    """Whether there is a back office at all; what it refuses is for the cases. Raises CaseFailed if it does not run."""
    with suppress(BackOfficeRefused, CaseSkipped):
        await context.back_office.do("balance", context.given_players[0].user_id, context.currency)


async def _trouble_with(event: CaseEvent) -> str:
    """What is wrong with the answer to an event; nothing if it is any reply that can be read."""
    webhook = event.account.run.webhook
    answer = await event.posted()
    if answer.status != _OK:
        return f"answers HTTP {answer.status}, but a webhook answers every event with HTTP 200; check the URL"
    try:
        text = webhook.open(answer)
    except NotAReply:
        return _trouble_with_seal(webhook, answer)
    try:
        reply = webhook.read(text)
    except NotAReply as failure:
        return f"answers what opens to no reply ({failure}): it has another profile, cipher or key"
    return "answers R2: it knows another Api-Id or cipher, or refuses this address" if reply.code is Code.R2 else ""


def _trouble_with_seal(webhook: WebhookClient, answer: HttpAnswer) -> str:
    """Why an answer may not open."""
    if b"R2" in answer.body:
        return f"answers {excerpt(answer.body)}: it knows another Api-Id, Api-Key or cipher"
    if answer.headers.get("Api-Key") == webhook.headers["Api-Key"]:
        return "knows the Api-Key, but its answer does not open with it: it has another cipher or key encoding"
    return f"answers {excerpt(answer.body)!r}, which does not open with the key; check the URL, the cipher and the key"
