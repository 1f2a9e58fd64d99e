"""Play cases against a wallet in this process."""

from __future__ import annotations

from seamless_wallet.clients.back_office_ports import AbsentPort, BackOfficePort
from seamless_wallet.clients.target import OperatorChoices
from seamless_wallet.clients.webhook import WebhookClient
from seamless_wallet.conformance import CaseResult, CaseStatus, RunOptions, select
from seamless_wallet.conformance.run_context import RunContext
from seamless_wallet.conformance.runner import play_cases
from tests.conformance.reference_wallet import CURRENCY, SCALE, Endpoint, ReferenceBackOffice

GIVEN = ("ann", "bob")


async def results_of(
    endpoint: Endpoint,
    *patterns: str,
    back_office: BackOfficePort | None = None,
    given: tuple[str, ...] = (),
    concurrency: int = 24,
    fail_fast: bool = False,
    **choices,
) -> dict[str, CaseResult]:
    """Every case that is meant, by name. Without a back office there is the wallet's own; `given` players have none."""
    port: BackOfficePort = back_office or (AbsentPort() if given else ReferenceBackOffice(endpoint.rules))
    async with endpoint.serving() as url, WebhookClient(endpoint.provider, url) as webhook:
        run = RunContext(
            webhook,
            port,
            currency=CURRENCY,
            scale=SCALE,
            choices=OperatorChoices(grace_s=endpoint.rules.grace_s, **choices),
            given_players=given,
        )
        results = await play_cases(
            run,
            select(patterns),
            RunOptions(concurrency=concurrency, ends_run=lambda result: fail_fast and result.status is CaseStatus.FAIL),
        )
    return {result.case.name: result for result in results}


def failed(results: dict[str, CaseResult]) -> dict[str, str]:
    """What went wrong, by case."""
    return {name: result.detail for name, result in results.items() if result.status is CaseStatus.FAIL}


def skipped(results: dict[str, CaseResult]) -> dict[str, str]:
    """What was missing, by case."""
    return {name: result.detail for name, result in results.items() if result.status is CaseStatus.SKIP}
