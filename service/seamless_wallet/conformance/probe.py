"""What is asked once before the first case, so that one mistake of the command line is not told two hundred times.

A wallet that is wrong is for the cases to tell. So a run is stopped only if the login of a player who is known fails,
too, with which every case with a player begins.
"""

from __future__ import annotations

from contextlib import suppress

from seamless_wallet.clients.back_office_ports import ActionUnavailable, BackOfficeRefused
from seamless_wallet.clients.login_probe import trouble_with
from seamless_wallet.clients.target import TargetError, url_without_secrets
from seamless_wallet.clients.webhook import WebhookError
from seamless_wallet.conformance.case_context import FUNDS, CaseContext
from seamless_wallet.conformance.case_errors import CASE_FAILURES, SKIPS, CaseFailed
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.run_context import RunContext


async def probe(run: RunContext) -> None:
    """Send the login of an unknown player and of each player of the run. Raises TargetError with one line."""
    context = CaseContext(run)
    url = url_without_secrets(run.webhook.url)
    try:
        trouble = await trouble_with(run.webhook, context.unknown_player().login().text)
        players = await _players(context)
        if trouble and all([await trouble_with(run.webhook, player.login().text) for player in players]):
            raise TargetError(f"{url} {trouble}")
        for player in players:
            await player.find_balance()
    except (CaseFailed, WebhookError) as failure:
        said, _, _ = str(failure).partition("\n")
        raise TargetError(f"{url}: {said}") from None


async def _players(context: CaseContext) -> list[CasePlayer]:
    """The given ones, or a new one as the cases make them. Raises TargetError."""
    try:
        if context.given_players:
            await _ask_back_office_once(context)
            return context.given_players
        return [await context.new_player(f"conf-{context.unique_id()}", FUNDS, login=False)]
    except CASE_FAILURES as failure:
        raise TargetError(str(failure)) from None
    except SKIPS as missing:
        raise TargetError(f"{missing}, and every case needs it: pass --player with existing players") from None


async def _ask_back_office_once(context: CaseContext) -> None:
    """Whether there is one at all; what it refuses is for the cases. Raises BackOfficeFault if it does not run."""
    with suppress(BackOfficeRefused, ActionUnavailable):
        await context.back_office.do("balance", context.given_players[0].user_id, context.currency)
