"""Play cases against a wallet in this process."""

from __future__ import annotations

import aiohttp

from seamless_wallet.conformance import Expected, Outcome, Status, select
from seamless_wallet.conformance.case_context import World
from seamless_wallet.conformance.cash_desks import NoPort, Port
from seamless_wallet.conformance.raw_webhook import Wire
from seamless_wallet.conformance.runner import play
from tests.conformance.reference_wallet import CURRENCY, SCALE, Desk, Endpoint

GIVEN = ("ann", "bob")


async def outcomes_of(
    endpoint: Endpoint,
    *patterns: str,
    desk: Port | None = None,
    given: tuple[str, ...] = (),
    concurrency: int = 24,
    **choices,
) -> dict[str, Outcome]:
    """Every case that is meant, by name. Without a desk there is the wallet's own one; `given` players have none."""
    port: Port = desk or (NoPort() if given else Desk(endpoint.rules))
    async with endpoint.serving() as url, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        world = World(
            Wire(endpoint.provider, url, session),
            port,
            currency=CURRENCY,
            scale=SCALE,
            given=given,
            expected=Expected(grace_s=endpoint.rules.grace_s, **choices),
        )
        outcomes = await play(world, select(patterns), concurrency, lambda _case, _outcome: None)
    return {outcome.case.name: outcome for outcome in outcomes}


def failed(outcomes: dict[str, Outcome]) -> dict[str, str]:
    """What went wrong, by case."""
    return {name: outcome.detail for name, outcome in outcomes.items() if outcome.status is Status.FAIL}


def skipped(outcomes: dict[str, Outcome]) -> dict[str, str]:
    """What was missing, by case."""
    return {name: outcome.detail for name, outcome in outcomes.items() if outcome.status is Status.SKIP}
