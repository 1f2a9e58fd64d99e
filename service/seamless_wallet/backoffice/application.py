"""The application of the back office: its routes and its middlewares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from seamless_wallet.backoffice.auth import bearer_auth
from seamless_wallet.backoffice.calls_served import Calls
from seamless_wallet.backoffice.handlers import Players
from seamless_wallet.backoffice.health import Health
from seamless_wallet.backoffice.imports import Imports
from seamless_wallet.backoffice.lists import Lists
from seamless_wallet.backoffice.orphans import Orphans
from seamless_wallet.backoffice.problems import problems
from seamless_wallet.backoffice.request_ids import request_ids
from seamless_wallet.backoffice.responses import Scales
from seamless_wallet.backoffice.trial_balances import TrialBalances
from seamless_wallet.http_server.serving import application

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seamless_wallet.backoffice.calls_served import CallDecoder
    from seamless_wallet.backoffice.health import Exposition, Readiness
    from seamless_wallet.backoffice.trial_balances import AccountSums
    from seamless_wallet.calls.ports import CallRecorder, CallStore
    from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader
    from seamless_wallet.ports import Clock, Randomness, WalletPort

BODY_BYTES_MAX: Final = 64 * 1024
OPEN_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""These need no token: probes and scrapers have none."""

_PLAYER: Final = "/v1/players/{user_id:[^/]+}"  # aiohttp's own pattern refuses braces


def backoffice_app(
    *,
    wallet: WalletPort,
    ledger: LedgerReader,
    history: LedgerHistory,
    account_sums: AccountSums,
    clock: Clock,
    randomness: Randomness,
    scales: Mapping[str, int],
    token: str,
    readiness: Readiness,
    exposition: Exposition,
    calls: CallStore,
    call_decoder: CallDecoder,
    recorder: CallRecorder | None = None,
) -> web.Application:
    """The back office. `scales`: decimal digits by currency. `token`: the bearer token of `/v1`.

    `account_sums` reads the whole ledger: hand in a reader of its own, so that nothing else waits behind it.

    `calls` are those that are kept, `call_decoder` reads them again, `recorder` keeps what is decided again.

    `readiness` and `exposition` are what `/readyz` and `/metrics` tell.

    `randomness` makes the transaction id of a change of status that has no Idempotency-Key. Raises ValueError if the
    token is empty. Opens and closes nothing: all it needs is handed in.
    """
    players = Players(wallet, ledger, clock, randomness, Scales(scales))
    imports = Imports(players, history, Scales(scales))
    lists = Lists(ledger, history, Scales(scales))
    trial_balances = TrialBalances(account_sums, clock, Scales(scales))
    orphans = Orphans(calls, ledger, history, clock, Scales(scales))
    kept = Calls(calls, call_decoder, recorder, wallet, ledger, history, clock, Scales(scales))
    health = Health(readiness, exposition)
    middlewares = [request_ids, problems, bearer_auth(token, OPEN_PATHS, clock)]
    app = application("backoffice", body_bytes_max=BODY_BYTES_MAX, middlewares=middlewares)
    app.add_routes(
        [
            web.get("/livez", health.live),
            web.get("/readyz", health.ready),
            web.get("/metrics", health.metrics),
            web.post("/v1/players", players.create),
            web.get("/v1/players", lists.players),
            web.get(_PLAYER, players.show),
            web.patch(_PLAYER, players.set_status),
            web.post(f"{_PLAYER}/deposits", players.deposit),
            web.post(f"{_PLAYER}/withdrawals", players.withdraw),
            web.get(f"{_PLAYER}/entries", lists.entries),
            web.get(f"{_PLAYER}/balance", lists.balance),
            web.get(f"{_PLAYER}/rounds", lists.rounds),
            web.delete(f"{_PLAYER}/calls", kept.erase),
            web.get("/v1/calls", kept.list),
            web.get("/v1/calls/export", kept.export),
            web.get("/v1/calls/{call_id}", kept.show),
            web.post("/v1/calls/{call_id}/acknowledgement", kept.acknowledge),
            web.post("/v1/calls/{call_id}/replay", kept.replay),
            web.get("/v1/orphans", orphans.list),
            web.get("/v1/rounds/open", orphans.left_open),
            web.post("/v1/imports", imports.take),
            web.get("/v1/trial-balance", trial_balances.show),
        ]
    )
    return app
