"""The webhook endpoint, `POST /webhook/{provider}`: checks callers, opens bodies, asks the wallet, seals replies.

It knows HTTP, the providers' formats and keys, and the port to the wallet (`seamless_wallet.ports`). It knows nothing
of Redis, SQL, settings, balances or sessions: it decides no money. Modules: `endpoint` (the handler and the
application), `no_provider` (what is below `/webhook/` and is of no provider), `source_address` (where a call comes
from), `call_records` (what the history gets to know of a call), `call_counters`, `call_phases` (what others are told of
it), `decision_log` (a line a decision, at DEBUG).
"""
