"""The back office over HTTP: players, deposits and withdrawals, ledger entries, health and metrics.

It knows HTTP, JSON and decimal amounts, the port to the wallet (`seamless_wallet.ports`) and the reading port of the
ledger (`seamless_wallet.ledger.ports`). It knows nothing of Redis, SQL, providers or settings, and decides no money: it
asks the wallet. Modules: `application` (the routes), `handlers` and `trial_balances`, `requests` (what comes in),
`responses` and `problems` (what goes out), `auth` (the bearer token), `token_attempts` (slows down who guesses it),
`health`.
"""

from seamless_wallet.backoffice.application import backoffice_app

__all__ = ["backoffice_app"]
