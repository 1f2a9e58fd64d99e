"""Every metric of the service, with what it means and what to do when it moves.

No player, transaction or round is ever a label. Callers bind children once (`labels()` costs more than the count).
Processes write to the multiprocess directory that the supervisor names in PROMETHEUS_MULTIPROC_DIR; the admin
process renders them all.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

WEBHOOK_REQUESTS: Final = Counter(
    "wallet_webhook_requests_total",
    "Answered webhook calls by provider, event, code and reason. Remedy: see the reason in docs/codes; a rising "
    "R1 is ours, a rising R3 or R2 the provider's.",
    ["provider", "event", "code", "reason"],
)
WEBHOOK_DURATION_SECONDS: Final = Histogram(
    "wallet_webhook_duration_seconds",
    "From the request's body read to the reply sealed, not yet sent. Remedy: compare with "
    "wallet_ledger_commit_duration_seconds; what is left is Redis or a busy worker.",
    ["provider"],
    buckets=LATENCY_BUCKETS_S,
)
HTTP_MALFORMED_REQUESTS: Final = Counter(
    "wallet_http_malformed_requests_total",
    "Requests that were not HTTP, or broke off under way, by server (webhook, backoffice); HTTP's own 400 or no "
    "answer, and no line in the log. Remedy: none for strangers; if a provider misses answers, look at the proxy "
    "between.",
    ["server"],
)
HTTP_CONNECTIONS: Final = Gauge(
    "wallet_http_connections",
    "Open connections by server. Remedy: near the limit of open files somebody opens more than a provider needs: see "
    "`connections_refused` in the log.",
    ["server"],
    multiprocess_mode="livesum",
)
HTTP_CONNECTIONS_REFUSED: Final = Counter(
    "wallet_http_connections_refused_total",
    "Connections closed at once because there were as many as the limit of open files allows, by server. Remedy: a "
    "proxy that limits connections per source; else raise `ulimit -n`.",
    ["server"],
)
ANOMALIES: Final = Counter(
    "wallet_anomalies_total",
    "Events that contradict what is stored (settled twice with other values, cancelled and settled, conflicting "
    "retry …). Remedy: look the event up in the log line and talk to the provider.",
    ["provider", "reason"],
)
CLOCK_SKEW: Final = Counter(
    "wallet_bet_clock_skew_total",
    "Bets whose timestamp is far from our clock; accepted. Remedy: check NTP here, then the provider's.",
    ["provider"],
)
REDIS_CONNECTION_ERRORS: Final = Counter(
    "wallet_redis_connection_errors_total",
    "Broken or refused connections to Redis, by kind. Remedy: is Redis up, and is it the server that SQL recorded?",
    ["kind"],
)
REDIS_COMMANDS_IN_FLIGHT: Final = Gauge(
    "wallet_redis_commands_in_flight",
    "Commands written to Redis and not answered yet. Remedy: near WALLET_IN_FLIGHT_MAX "
    "Redis is too slow or too far away: look at it first.",
    multiprocess_mode="livesum",
)
COMMIT_WAITERS: Final = Gauge(
    "wallet_commit_waiters",
    "Answers that wait for their entry to be committed. Remedy: a growing number means that the writer lags.",
    multiprocess_mode="livesum",
)
ATTEMPTS_LOST: Final = Counter(
    "wallet_attempts_lost_total",
    "Executions proven never to be committed (their epoch ended first); they ran again or were answered R1. "
    "Remedy: none if a recovery explains them.",
)
PLAYER_LOADS: Final = Counter(
    "wallet_player_loads_total",
    "Wallets loaded from SQL into Redis, by outcome. Remedy: many after a recovery are normal.",
    ["outcome"],
)
LEDGER_LOOKUPS: Final = Counter(
    "wallet_ledger_lookups_total",
    "Events looked up in SQL before they were executed or declined. Remedy: more than there are declines mean a "
    "provider that sends old events.",
)
LEDGER_ENTRIES_COMMITTED: Final = Counter(
    "wallet_ledger_entries_committed_total",
    "Ledger entries committed in SQL. Remedy: compare with wallet_webhook_requests_total{code=R0}.",
)
LEDGER_COMMIT_DURATION_SECONDS: Final = Histogram(
    "wallet_ledger_commit_duration_seconds",
    "One SQL transaction of the writer. Remedy: slow means a slow disk or a lock on the database.",
    buckets=LATENCY_BUCKETS_S,
)
WRITER_BATCH_ENTRIES: Final = Gauge(
    "wallet_writer_batch_entries",
    "Entries that the writer read in its last cycle and had not committed before. Remedy: near WALLET_PENDING_MAX "
    "bets are refused with R1: look at wallet_ledger_commit_duration_seconds.",
    multiprocess_mode="livemax",
)
EPOCHS_OPENED: Final = Counter(
    "wallet_epochs_opened_total",
    "New epochs by cause. Remedy: each one ought to have an event behind it (a restart of Redis, a fail-over); "
    "`fork` and `gap` without one are worth an investigation.",
    ["cause"],
)
UNEXPECTED_ERRORS: Final = Counter(
    "wallet_unexpected_errors_total",
    "Unexpected errors survived, by component. Remedy: the log line of that time says what.",
    ["component"],
)
PROCESS_EXITS: Final = Counter(
    "wallet_process_exits_total",
    "Processes of `wallet up` that ended without being told to, by role; each is restarted. Remedy: the log line "
    "`child_died` has the exit status; a death by SIGKILL is often the kernel's, out of memory.",
    ["role"],
)
