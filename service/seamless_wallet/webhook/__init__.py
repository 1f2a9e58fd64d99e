"""The webhook endpoint, `POST /webhook/{provider}`: checks callers, opens bodies, asks the wallet, seals replies.

It knows HTTP, the providers' formats and keys, and the port to the wallet (`seamless_wallet.ports`). It knows nothing
of Redis, SQL, settings, balances or sessions: it decides no money. Modules: `endpoint` (the handler and the
application), `source_address` (where a call comes from).
"""
