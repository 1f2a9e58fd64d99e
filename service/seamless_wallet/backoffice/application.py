"""The application of the back office: its routes and its middlewares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from seamless_wallet.backoffice.actions_served import Actions
from seamless_wallet.backoffice.auth import bearer_auth
from seamless_wallet.backoffice.calls_served import Calls
from seamless_wallet.backoffice.guard import Guard
from seamless_wallet.backoffice.handlers import Players
from seamless_wallet.backoffice.health import Health
from seamless_wallet.backoffice.imports import Imports
from seamless_wallet.backoffice.lists import Lists
from seamless_wallet.backoffice.orphans import Orphans
from seamless_wallet.backoffice.problems import problems
from seamless_wallet.backoffice.request_ids import request_ids
from seamless_wallet.backoffice.responses import Scales
from seamless_wallet.backoffice.routes import routes_of
from seamless_wallet.backoffice.trial_balances import TrialBalances
from seamless_wallet.http_server.serving import application

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seamless_wallet.access_roles import TokenHolder
    from seamless_wallet.actions.ports import ActionLog
    from seamless_wallet.backoffice.calls_served import CallDecoder
    from seamless_wallet.backoffice.health import Exposition, Readiness
    from seamless_wallet.backoffice.trial_balances import AccountSums
    from seamless_wallet.calls.ports import CallRecorder, CallStore
    from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader
    from seamless_wallet.ports import Clock, Randomness, WalletPort

BODY_BYTES_MAX: Final = 64 * 1024
OPEN_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""These need no token: probes and scrapers have none."""


def backoffice_app(
    *,
    wallet: WalletPort,
    ledger: LedgerReader,
    history: LedgerHistory,
    account_sums: AccountSums,
    clock: Clock,
    randomness: Randomness,
    scales: Mapping[str, int],
    holders: Sequence[TokenHolder],
    readiness: Readiness,
    exposition: Exposition,
    calls: CallStore,
    actions: ActionLog,
    call_decoder: CallDecoder,
    recorder: CallRecorder | None = None,
) -> web.Application:
    """The back office. `scales`: decimal digits by currency. `holders`: who has a bearer token of `/v1`.

    `account_sums` reads the whole ledger: hand in a reader of its own, so that nothing else waits behind it.

    `calls` are those that are kept, `call_decoder` reads them again, `recorder` keeps what is decided again.

    `actions` is the audit log: what it does not take is not done.

    `readiness` and `exposition` are what `/readyz` and `/metrics` tell.

    `randomness` makes the transaction id of a change of status that has no Idempotency-Key. Raises ValueError if there
    is no token, or an empty one. Opens and closes nothing: all it needs is handed in.
    """
    players = Players(wallet, ledger, clock, randomness, Scales(scales))
    imports = Imports(players, history, Scales(scales))
    lists = Lists(ledger, history, Scales(scales))
    trial_balances = TrialBalances(account_sums, clock, Scales(scales))
    orphans = Orphans(calls, ledger, history, clock, Scales(scales))
    kept = Calls(calls, call_decoder, recorder, wallet, ledger, history, clock, Scales(scales))
    health = Health(readiness, exposition)
    middlewares = [request_ids, problems, bearer_auth(holders, OPEN_PATHS, clock)]
    app = application("backoffice", body_bytes_max=BODY_BYTES_MAX, middlewares=middlewares)
    guard = Guard(actions, clock)
    for route in routes_of(players, lists, kept, imports, orphans, trial_balances, Actions(actions), health):
        handler = guard.guarded(route)
        if route.method == hdrs.METH_GET:
            app.router.add_get(route.path, handler)  # and HEAD
        else:
            app.router.add_route(route.method, route.path, handler)
    return app
