"""Every route of the admin API: who may use it, and what the audit log calls what it does. One table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import hdrs

from seamless_wallet.access_roles import AccessRole

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from seamless_wallet.backoffice.actions_served import Actions
    from seamless_wallet.backoffice.calls_served import Calls
    from seamless_wallet.backoffice.handlers import Players
    from seamless_wallet.backoffice.health import Health
    from seamless_wallet.backoffice.imports import Imports
    from seamless_wallet.backoffice.lists import Lists
    from seamless_wallet.backoffice.orphans import Orphans
    from seamless_wallet.backoffice.trial_balances import TrialBalances

PLAYER: Final = "/v1/players/{user_id:[^/]+}"  # aiohttp's own pattern refuses braces


class Route(NamedTuple):
    """One route. `least`: the least role that may use it; None: it needs no token.

    `action`: what it is called in the audit log, before it is done; "": it is not recorded.
    """

    method: str
    path: str
    handler: Handler
    least: AccessRole | None
    action: str = ""


def routes_of(
    players: Players,
    lists: Lists,
    calls: Calls,
    imports: Imports,
    orphans: Orphans,
    trial_balances: TrialBalances,
    actions: Actions,
    health: Health,
) -> list[Route]:
    """The table. Probes and scrapers have no token. Whatever changes something, or takes much away, is an action."""
    get, post, patch, delete = hdrs.METH_GET, hdrs.METH_POST, hdrs.METH_PATCH, hdrs.METH_DELETE
    read, support, money, admin = AccessRole
    return [
        Route(get, "/livez", health.live, None),
        Route(get, "/readyz", health.ready, None),
        Route(get, "/metrics", health.metrics, None),
        Route(post, "/v1/players", players.create, support, "create_player"),
        Route(get, "/v1/players", lists.players, read),
        Route(get, PLAYER, players.show, read),
        Route(patch, PLAYER, players.set_status, support, "set_status"),
        Route(post, f"{PLAYER}/deposits", players.deposit, money, "deposit"),
        Route(post, f"{PLAYER}/withdrawals", players.withdraw, money, "withdraw"),
        Route(get, f"{PLAYER}/entries", lists.entries, read),
        Route(get, f"{PLAYER}/balance", lists.balance, read),
        Route(get, f"{PLAYER}/rounds", lists.rounds, read),
        Route(delete, f"{PLAYER}/calls", calls.erase, admin, "erase_calls"),
        Route(get, "/v1/calls", calls.list, read),
        Route(get, "/v1/calls/export", calls.export, support, "export_calls"),
        Route(get, "/v1/calls/{call_id}", calls.show, read),
        Route(post, "/v1/calls/{call_id}/acknowledgement", calls.acknowledge, support, "acknowledge_call"),
        Route(post, "/v1/calls/{call_id}/replay", calls.replay, support, "replay_call"),
        Route(get, "/v1/orphans", orphans.list, read),
        Route(get, "/v1/rounds/open", orphans.left_open, read),
        Route(post, "/v1/imports", imports.take, money, "import_players"),
        Route(get, "/v1/trial-balance", trial_balances.show, read),
        Route(get, "/v1/audit", actions.list, admin),
    ]
