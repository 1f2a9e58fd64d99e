"""The history of calls: what came to the webhook, what was answered and why, for people who look something up.

Money never depends on it. A worker hands over what it knows of a call (`record`) and goes on; a thread of its own
writes batches as files beside the ledger (`recorder`, `spool`), also while Redis, the ledger or the admin process is
away. The admin process collects the files into a store, behind the port in `ports`. The room knows no HTTP, no Redis,
no SQL, no settings and no wire format. Modules: `record` (one call), `recorder` (from the worker to its thread),
`strangers` (how many unauthorized calls are kept), `spool` (the files), `disk_room` (what is left to the ledger),
`ports`, `reasons` (each reason in words).
"""
