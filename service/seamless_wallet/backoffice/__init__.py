"""The back office over HTTP: players, deposits and withdrawals, ledger entries, health and metrics.

It knows HTTP, JSON and decimal amounts, the port to the wallet (`seamless_wallet.ports`), the reading port of the
ledger (`seamless_wallet.ledger.ports`), that of the calls (`seamless_wallet.calls.ports`) and that of the audit log
(`seamless_wallet.actions.ports`). It knows nothing of Redis, SQL, providers or settings, and decides no money: it asks
the wallet. Modules: `application`, `routes` (who may use which), `guard` (roles, and what is recorded), `handlers`,
`imports`, `lists`, `orphans`, `calls_served`, `actions_served` and `trial_balances`, `requests`, `queries` and
`call_requests` (what comes in), `responses`, `call_responses` and `problems` (what goes out), `auth` (the bearer
tokens), `token_attempts` (slows down who guesses them), `request_ids`, `health`.
"""

from seamless_wallet.backoffice.application import backoffice_app

__all__ = ["backoffice_app"]
