"""Every metric of the service: what it means, and after `Remedy:` what an operator does about it.

No player, transaction or round is ever a label. Callers keep the result of `labels()`, which costs more than a count.
Each process counts for itself. The admin process asks all of them and adds them up.
"""

from __future__ import annotations

from typing import Any, Final

from seamless_wallet.observability.instruments import Counter, Gauge, Histogram, Metric

LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

WEBHOOK_REQUESTS: Final = Counter(
    "wallet_webhook_requests_total",
    "Answered webhook calls by provider, event, code and reason. Remedy: look the reason up (`wallet docs codes`). If "
    "R1 rises, look for a fault on this side; if R2 or R3 rises, talk to the provider.",
    ["provider", "event", "code", "reason"],
)
WEBHOOK_API_KEYS: Final = Counter(
    "wallet_webhook_api_keys_total",
    "Webhook calls with a valid Api-Key by provider and key (current, previous). Remedy: after a change of key, wait "
    "until `previous` no longer rises, then remove previous_api_key from the settings.",
    ["provider", "key"],
)
WEBHOOK_DURATION_SECONDS: Final = Histogram(
    "wallet_webhook_duration_seconds",
    "Time from the end of the request's body to the sealed reply, before it is sent. Remedy: compare it with "
    "wallet_ledger_commit_duration_seconds. If the commit is fast, look at Redis and at the workers' CPU.",
    ["provider"],
    bounds=LATENCY_BOUNDS_S,
)
HTTP_MALFORMED_REQUESTS: Final = Counter(
    "wallet_http_malformed_requests_total",
    "Requests that were not HTTP or broke off, by server (webhook, backoffice). They got HTTP's 400 or no answer, and "
    "no line in the log. Remedy: ignore those of strangers. If a provider misses answers, check the proxy.",
    ["server"],
)
HTTP_CONNECTIONS: Final = Gauge(
    "wallet_http_connections",
    "Open connections by server. Remedy: if it nears the limit of open files, limit connections per source in the "
    "proxy, or raise `ulimit -n`.",
    ["server"],
    merge="sum",
)
HTTP_CONNECTIONS_REFUSED: Final = Counter(
    "wallet_http_connections_refused_total",
    "Connections that were closed at once because as many were open as the limit of open files allows, by server. "
    "Remedy: limit connections per source in the proxy, or raise `ulimit -n`.",
    ["server"],
)
BACKOFFICE_UNAUTHORIZED: Final = Counter(
    "wallet_backoffice_unauthorized_total",
    "Calls of the back office that were not let in, by reason: no token (`missing`), a `wrong` one, or not checked "
    "(`throttled`) after many wrong ones from that address. Remedy: find the address in the log "
    "(`admin_token_refused`). If it is yours, give it the token of now; else keep it away from the port.",
    ["reason"],
)
ANOMALIES: Final = Counter(
    "wallet_anomalies_total",
    "Events that contradict what is stored: settled twice with other values, cancelled and settled, a retry with other "
    "values and the like. Remedy: find the event in the log (`anomaly`) and talk to the provider. Treat a `conflict` "
    "as an attack until it is explained: somebody with the right key says something else under a known id.",
    ["provider", "reason"],
)
CLOCK_SKEW: Final = Counter(
    "wallet_bet_clock_skew_total",
    "Bets whose timestamp is far from this machine's clock. They are accepted. Remedy: check NTP on this machine, then "
    "ask the provider to check theirs.",
    ["provider"],
)
REDIS_CONNECTION_ERRORS: Final = Counter(
    "wallet_redis_connection_errors_total",
    "Broken or refused connections to Redis, by kind. Remedy: check that Redis runs, and that it is the server that "
    "the ledger has recorded.",
    ["kind"],
)
REDIS_COMMANDS_IN_FLIGHT: Final = Gauge(
    "wallet_redis_commands_in_flight",
    "Commands that were written to Redis and are not answered yet. Remedy: if it nears WALLET_IN_FLIGHT_MAX, check the "
    "latency of Redis and of the network to it.",
    merge="sum",
)
COMMIT_WAITERS: Final = Gauge(
    "wallet_commit_waiters",
    "Answers that wait until their entry is committed. Remedy: if it grows, check the writer and "
    "wallet_ledger_commit_duration_seconds.",
    merge="sum",
)
ATTEMPTS_LOOKED_UP: Final = Counter(
    "wallet_attempts_looked_up_total",
    "Entries whose commit was found in SQL, because the writer's message did not come within 0.1 s. Remedy: look at "
    "wallet_ledger_commit_duration_seconds. If commits are fast, messages are lost: look for `subscription_lost` in "
    "the log.",
)
ATTEMPTS_LOST: Final = Counter(
    "wallet_attempts_lost_total",
    "Executions that will never be committed, because their epoch ended first. They ran again or were answered R1. "
    "Remedy: do nothing if wallet_epochs_opened_total rose at that time; else report it.",
)
PLAYER_LOADS: Final = Counter(
    "wallet_player_loads_total",
    "Wallets that were loaded from SQL into Redis, by outcome. Remedy: do nothing after a new epoch, when many are "
    "normal; else check whether Redis loses keys.",
    ["outcome"],
)
PLAYER_EVICTIONS: Final = Counter(
    "wallet_player_evictions_total",
    "Wallets that left Redis because they were idle. Remedy: if wallet_player_loads_total rises as fast, the same "
    "players leave and come back: raise WALLET_IDLE_EVICT_S.",
)
PLAYERS_IN_REDIS: Final = Gauge(
    "wallet_players_in_redis",
    "Wallets that the last sweep for idle ones left in Redis. Remedy: if Redis lacks memory, give it more, or lower "
    "WALLET_IDLE_EVICT_S.",
    merge="max",
)
LEDGER_LOOKUPS: Final = Counter(
    "wallet_ledger_lookups_total",
    "Events that were looked up in SQL before they were executed or declined. Remedy: if there are more of them than "
    "declines, ask the provider why it sends old events.",
)
LEDGER_ENTRIES_COMMITTED: Final = Counter(
    "wallet_ledger_entries_committed_total",
    "Ledger entries that were committed in SQL. Remedy: compare with wallet_webhook_requests_total of code R0.",
)
LEDGER_COMMIT_DURATION_SECONDS: Final = Histogram(
    "wallet_ledger_commit_duration_seconds",
    "One SQL transaction of the writer. Remedy: if it is slow, check the disk, and what else locks the database.",
    bounds=LATENCY_BOUNDS_S,
)
LEDGER_ENTRIES_VOID: Final = Counter(
    "wallet_ledger_entries_void_total",
    "Entries that SQL refused, and those that rested on them, by cause: they moved nothing, and their events were "
    "decided again. Remedy: for `reused` find the provider that sends old ids or bets as new ones in the log "
    "(entry_refused). For the others find what set Redis back, and report it if there is nothing.",
    ["cause"],
)
LEDGER_VERIFIED: Final = Gauge(
    "wallet_ledger_verified_timestamp_seconds",
    "When the admin process last got to the end of the ledger with WALLET_VERIFY_EVERY_S, Unix time; 0 if it has not "
    "yet. Remedy: if it stands still, read the log of the admin process.",
    merge="max",
)
LEDGER_FINDINGS: Final = Counter(
    "wallet_ledger_findings_total",
    "What did not fit in entries that the admin process verified. Remedy: if it is not 0, run `wallet verify`, and see "
    "the log (`ledger_finding`).",
)
WRITER_BATCH_ENTRIES: Final = Gauge(
    "wallet_writer_batch_entries",
    "Entries that the writer read in its last cycle and had not committed before. Remedy: if it nears "
    "WALLET_PENDING_MAX, from where bets are answered R1, check wallet_ledger_commit_duration_seconds.",
    merge="max",
)
WRITER_LAG_ENTRIES: Final = Gauge(
    "wallet_writer_lag_entries",
    "Entries that Redis has and SQL has not, of the shard that has most of them. Remedy: if it grows, check "
    "wallet_ledger_commit_duration_seconds and the disk. At WALLET_PENDING_MAX bets are answered R1.",
    merge="max",
)
WRITER_LAG_SECONDS: Final = Gauge(
    "wallet_writer_lag_seconds",
    "For how long the oldest of these entries has been seen waiting. 0 if none is older than a second. Remedy: as for "
    "wallet_writer_lag_entries. At WALLET_DEADLINE_MS every event is answered R1.",
    merge="max",
)
EPOCHS_OPENED: Final = Counter(
    "wallet_epochs_opened_total",
    "New epochs of shards by cause: a restart of Redis costs each shard one. Remedy: see "
    "wallet_redis_recoveries_total.",
    ["cause"],
)
LEDGER_ENTRIES_MISSING: Final = Counter(
    "wallet_ledger_entries_missing_total",
    "Entries that Redis called committed, so that they were acknowledged, and that neither ledger nor stream has. "
    "Remedy: find out who has set the ledger back, and see `acknowledged_entries_missing` in the log.",
)
REDIS_RECOVERIES: Final = Counter(
    "wallet_redis_recoveries_total",
    "Occasions on which shards needed new epochs, by cause, each counted once for all of its shards. Remedy: find the "
    "start, restart or fail-over of Redis behind each of them. Investigate `fork` and `gap` if there was none.",
    ["cause"],
)
MESSAGES_DISBELIEVED: Final = Counter(
    "wallet_messages_disbelieved_total",
    "Messages of a writer that the ledger does not name. No answer rests on them. Remedy: look for another writer on "
    "this Redis, one of a copy of the ledger most likely, and stop it.",
)
FOREIGN_WRITER: Final = Gauge(
    "wallet_foreign_writer",
    "1 while a writer that the ledger does not name works on this Redis. What has to be committed is R1 then. Remedy: "
    "stop that writer, or give it a Redis of its own (`wallet docs operations`).",
    merge="max",
)
UNEXPECTED_ERRORS: Final = Counter(
    "wallet_unexpected_errors_total",
    "Unexpected errors that a process survived, by component. Remedy: read the log of that time. Report it, unless "
    "it is about a full disk or a locked database.",
    ["component"],
)
PROCESS_EXITS: Final = Counter(
    "wallet_process_exits_total",
    "Processes of `wallet up` that ended without being told to, by role. Each one is restarted. Remedy: read the exit "
    "status in the log line `process_exited`. After SIGKILL, check whether the machine ran out of memory.",
    ["role"],
)
LOG_LINES_DROPPED: Final = Counter(
    "wallet_log_lines_dropped_total",
    "Lines of the log that could not be written. Remedy: see that something reads standard error, and that its disk "
    "has room.",
)
BUILD_INFO: Final = Gauge(
    "wallet_build_info",
    "1, with the versions of the wallet and of Python. Remedy: none; it tells which version the other numbers are of.",
    ["version", "python"],
    merge="max",
)
PROCESS_UP: Final = Gauge(
    "wallet_process_up",
    "1 if all processes of this role answered when their counters were asked for, 0 if one did not or there is none. "
    "Remedy: look for the process and its last lines in the log. Its counters are those of its last answer.",
    ["role"],
    merge="max",
)
PROCESS_START_TIME_SECONDS: Final = Gauge(
    "wallet_process_start_time_seconds",
    "When the youngest process of a role started, in seconds since 1970. Remedy: none; it tells of restarts.",
    ["role"],
    merge="max",
)
PROCESS_CPU_SECONDS: Final = Counter(
    "wallet_process_cpu_seconds_total",
    "Time on a CPU by role, user and system. Remedy: if workers near one second a second each, raise WALLET_WORKERS.",
    ["role"],
)
PROCESS_RESIDENT_MEMORY_BYTES: Final = Gauge(
    "wallet_process_resident_memory_bytes",
    "Memory of all processes of a role. Remedy: if it grows without end, report it, and restart these processes.",
    ["role"],
    merge="sum",
)
PROCESS_OPEN_FDS: Final = Gauge(
    "wallet_process_open_fds",
    "Open files of the process of a role that has most of them. Remedy: if it nears `ulimit -n`, limit connections per "
    "source in the proxy, or raise that limit.",
    ["role"],
    merge="max",
)
PROCESS_LOOP_LAG_SECONDS: Final = Gauge(
    "wallet_process_loop_lag_seconds",
    "By how much the event loop of a process was late at most, in the last 10 seconds; of the process of a role that "
    "was latest. Remedy: if workers are late, raise WALLET_WORKERS, or look for what else uses the CPU.",
    ["role"],
    merge="max",
)
CALLS_RECORDED: Final = Counter(
    "wallet_calls_recorded_total",
    "Webhook calls that were written for the history of calls. Remedy: none; compare it with "
    "wallet_webhook_requests_total.",
)
CALLS_DROPPED: Final = Counter(
    "wallet_calls_dropped_total",
    "Webhook calls that the history of calls lacks, by cause. Remedy: for `queue` look at the disk and at the workers' "
    "CPU; for `disk` see that the disk has room and that the admin process runs (`calls_dropped` in the log). For "
    "`strangers` do nothing: only some calls without a right key are kept. Report `broken`.",
    ["cause"],
)

ALL: Final[tuple[Metric[Any], ...]] = tuple(value for value in globals().values() if isinstance(value, Metric))
"""In the order of their declaration."""
