"""Every metric of the service: what it means, and what an operator does about it.

One table, however long: who looks for a number finds it here. No player, transaction or round is ever a label. Callers
keep the result of `labels()`, which costs more than a count. Each process counts for itself. The admin process asks all
of them and adds them up.
"""

from __future__ import annotations

from typing import Any, Final

from seamless_wallet.observability.instruments import Counter, Gauge, Histogram, Metric

CALL_BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5),
    *(1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0),
)
"""Of whole calls. Providers give up after 0.3 s or 3 s; no deadline is longer than 60 s."""

STEP_BOUNDS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 60.0),
)
"""Of what happens within a call."""

COUNT_BOUNDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Of batches."""

COMPONENTS: Final = (
    *("webhook", "ledger", "script", "load", "heads", "commit_lookup", "writer", "clean_up", "idle_wallets"),
    *("backoffice", "readiness", "metrics", "gauges", "calls", "verify"),
)
"""What an unexpected error may be counted for."""

PHASES: Final = ("open", "queue", "redis", "commit", "reply")

WEBHOOK_REQUESTS: Final = Counter(
    "wallet_webhook_requests_total",
    meaning="Answered webhook calls by provider, event, code and reason.",
    remedy="Look the reason up (`wallet docs codes`). If R1 rises, look for a fault on this side; if R2 or R3 "
    "rises, talk to the provider.",
    labels=["provider", "event", "code", "reason"],
)
WEBHOOK_API_KEYS: Final = Counter(
    "wallet_webhook_api_keys_total",
    meaning="Webhook calls with a valid Api-Key by provider and key (current, previous).",
    remedy="After a change of key, wait until `previous` no longer rises, then remove previous_api_key from the "
    "settings.",
    labels=["provider", "key"],
)
WEBHOOK_REQUEST_DURATION_SECONDS: Final = Histogram(
    "wallet_webhook_request_duration_seconds",
    meaning="Time from the end of the request's body to the sealed reply, before it is sent, by provider, event and "
    "code.",
    remedy="Compare the phases: wallet_webhook_phase_duration_seconds.",
    labels=["provider", "event", "code"],
    bounds=CALL_BOUNDS_S,
)
WEBHOOK_PHASE_DURATION_SECONDS: Final = Histogram(
    "wallet_webhook_phase_duration_seconds",
    meaning="Parts of calls: `open` (decrypt and decode), `queue` (until a script is sent, with look-ups and loads), "
    "`redis` (until it has answered), `commit` (until its entry is in SQL), `reply` (encode and seal). A "
    "call that tries again has several of the middle ones, and so do calls of the back office.",
    remedy="For `open` and `reply` look at the workers' CPU, for `queue` at wallet_player_loads_total and "
    "wallet_ledger_lookups_total, for `redis` at Redis, for `commit` at "
    "wallet_ledger_commit_duration_seconds.",
    labels=["phase"],
    start=PHASES,
    bounds=STEP_BOUNDS_S,
)
HTTP_MALFORMED_REQUESTS: Final = Counter(
    "wallet_http_malformed_requests_total",
    meaning="Requests that were not HTTP or broke off, by server (webhook, backoffice). They got HTTP's 400 or no "
    "answer, and no line in the log.",
    remedy="Ignore those of strangers. If a provider misses answers, check the proxy.",
    labels=["server"],
    start=["webhook", "backoffice"],
)
HTTP_CONNECTIONS: Final = Gauge(
    "wallet_http_connections",
    meaning="Open connections by server.",
    remedy="If it nears the limit of open files, limit connections per source in the proxy, or raise `ulimit -n`.",
    labels=["server"],
    merge="sum",
)
HTTP_CONNECTIONS_REFUSED: Final = Counter(
    "wallet_http_connections_refused_total",
    meaning="Connections that were closed at once because as many were open as the limit of open files allows, by "
    "server.",
    remedy="Limit connections per source in the proxy, or raise `ulimit -n`.",
    labels=["server"],
    start=["webhook", "backoffice"],
)
TLS_HANDSHAKES_FAILED: Final = Counter(
    "wallet_tls_handshakes_failed_total",
    meaning="Connections to ports with TLS that ended without a handshake, by server: no TLS, no version, cipher or "
    "certificate that is taken, or 5 s of nothing.",
    remedy="Ignore those of strangers and of probes that only connect. If a provider cannot call, have it speak TLS "
    "1.2 or newer, trust the certificate's authority, and send a certificate of its own if one is asked for.",
    labels=["server"],
    start=["webhook", "backoffice"],
)
TLS_CERTIFICATE_EXPIRY: Final = Gauge(
    "wallet_tls_certificate_expiry_timestamp_seconds",
    meaning="When the certificate that is served, or one of its chain, ends to be valid, in seconds since 1970, by "
    "server. Of several processes the earliest. Missing without TLS.",
    remedy="Renew the certificate, and send SIGHUP. If it is renewed already, see in the log (`reload_refused`) why it "
    "is not in force.",
    labels=["server"],
    merge="min",
)
BACKOFFICE_UNAUTHORIZED: Final = Counter(
    "wallet_backoffice_unauthorized_total",
    meaning="Calls of the back office that were not let in, by reason: no token (`missing`), a `wrong` one, not "
    "checked (`throttled`) after many wrong ones from that address, or the token of another `role`.",
    remedy="Find the address in the log (`admin_token_refused`). If it is yours, give it the token of now; else "
    "keep it away from the port. For `role`, see the audit log.",
    labels=["reason"],
    start=["missing", "wrong", "throttled", "role"],
)
ACTIONS_NOT_RECORDED: Final = Counter(
    "wallet_audit_records_failed_total",
    meaning="Actions of the back office that could not be recorded in the audit log, and so were not done (`begin`), "
    "and those whose outcome could not be recorded (`end`).",
    remedy="Make room on the disk of the ledger; check who may write the file of the audit log.",
    labels=["step"],
    start=["begin", "end"],
)
ANOMALIES: Final = Counter(
    "wallet_anomalies_total",
    meaning="Events that contradict what is stored: settled twice with other values, cancelled and settled, a retry "
    "with other values and the like.",
    remedy="Find the event in the log (`anomaly`) and talk to the provider. Treat a `conflict` as an attack until "
    "it is explained: somebody with the right key says something else under a known id.",
    labels=["provider", "reason"],
)
CLOCK_SKEW: Final = Counter(
    "wallet_bet_clock_skew_total",
    meaning="Bets whose timestamp is far from this machine's clock. They are accepted.",
    remedy="Check NTP on this machine, then ask the provider to check theirs.",
    labels=["provider"],
)
REDIS_CONNECTION_ERRORS: Final = Counter(
    "wallet_redis_connection_errors_total",
    meaning="Broken or refused connections to Redis, by kind.",
    remedy="Check that Redis runs, and that it is the server that the ledger has recorded.",
    labels=["kind"],
    start=["connect", "other_server", "ConnectionError", "TimeoutError"],
)
REDIS_COMMANDS_IN_FLIGHT: Final = Gauge(
    "wallet_redis_commands_in_flight",
    meaning="Commands that were written to Redis and are not answered yet.",
    remedy="If it nears WALLET_IN_FLIGHT_MAX, check the latency of Redis and of the network to it.",
    merge="sum",
)
REDIS_BATCH_COMMANDS: Final = Histogram(
    "wallet_redis_batch_commands",
    meaning="Commands that a process wrote to Redis at once: the depth of its pipeline.",
    remedy="None; with more load it grows, and each command costs less.",
    bounds=COUNT_BOUNDS,
)
REDIS_MEMORY_BYTES: Final = Gauge(
    "wallet_redis_memory_bytes",
    meaning="Memory that Redis uses (`used`), and `maxmemory` as the `limit`, 0 without one.",
    remedy="If it nears the limit, give Redis more, or lower WALLET_IDLE_EVICT_S. A full Redis answers R1 `redis`.",
    labels=["of"],
    merge="max",
)
REDIS_KEYS: Final = Gauge(
    "wallet_redis_keys",
    meaning="Keys in Redis, of all its databases.",
    remedy="If they grow and the players do not, look for what else uses this Redis.",
    merge="max",
)
REDIS_CLIENTS: Final = Gauge(
    "wallet_redis_clients",
    meaning="Connections that Redis has.",
    remedy="If they grow without end, look for who connects: `redis-cli CLIENT LIST`.",
    merge="max",
)
REDIS_EVICTED_KEYS: Final = Counter(
    "wallet_redis_evicted_keys_total",
    meaning="Keys that Redis has thrown away for lack of memory.",
    remedy="It must stand still: set `maxmemory-policy noeviction`, and restart Redis.",
)
REDIS_CPU_SECONDS: Final = Counter(
    "wallet_redis_cpu_seconds_total",
    meaning="Time on a CPU of the Redis server, user and system.",
    remedy="Near one second a second Redis is what limits the wallet.",
)
REDIS_SCRIPT_CALLS: Final = Counter(
    "wallet_redis_script_calls_total",
    meaning="Scripts that Redis has run.",
    remedy="None; compare with wallet_webhook_requests_total.",
)
REDIS_SCRIPT_SECONDS: Final = Counter(
    "wallet_redis_script_seconds_total",
    meaning="Time that Redis spent in scripts. Divide by wallet_redis_script_calls_total.",
    remedy="If one takes more than 0.1 ms on average, look at the size of batches and at what else uses that CPU.",
)
REDIS_STREAM_ENTRIES: Final = Gauge(
    "wallet_redis_stream_entries",
    meaning="Entries in the streams of all shards, committed or not.",
    remedy="Up to WALLET_STREAM_TAIL a shard is normal. More wait for the writer: see wallet_writer_lag_entries.",
    merge="max",
)
CLOCK_DIFFERENCE_SECONDS: Final = Gauge(
    "wallet_clock_difference_seconds",
    meaning="By how much the clock of a server (`redis`, `ledger`) differs from this machine's, either way. A ledger "
    "in SQLite has the clock of this machine.",
    remedy="Set up NTP on both machines.",
    labels=["server"],
    merge="max",
)
COMMIT_WAITERS: Final = Gauge(
    "wallet_commit_waiters",
    meaning="Answers that wait until their entry is committed.",
    remedy="If it grows, check the writer and wallet_ledger_commit_duration_seconds.",
    merge="sum",
)
ATTEMPTS_LOOKED_UP: Final = Counter(
    "wallet_attempts_looked_up_total",
    meaning="Entries whose commit was found in SQL, because the writer's message did not come within 0.1 s.",
    remedy="Look at wallet_ledger_commit_duration_seconds. If commits are fast, messages are lost: look for "
    "`subscription_lost` in the log.",
)
ATTEMPTS_LOST: Final = Counter(
    "wallet_attempts_lost_total",
    meaning="Executions that will never be committed, because their epoch ended first. They ran again or were "
    "answered R1.",
    remedy="Do nothing if wallet_epochs_opened_total rose at that time; else report it.",
)
PLAYER_LOADS: Final = Counter(
    "wallet_player_loads_total",
    meaning="Wallets that were loaded from SQL into Redis, by outcome.",
    remedy="Do nothing after a new epoch, when many are normal; else check whether Redis loses keys.",
    labels=["outcome"],
    start=["installed", "refused", "frozen", "no_script", "other_epoch", "unknown_player"],
)
PLAYER_LOAD_DURATION_SECONDS: Final = Histogram(
    "wallet_player_load_duration_seconds",
    meaning="Time to load a wallet from SQL and to install it in Redis.",
    remedy="If it is slow, look at wallet_ledger_lookup_duration_seconds: if SQL is quick, look at Redis.",
    bounds=STEP_BOUNDS_S,
)
PLAYER_EVICTIONS: Final = Counter(
    "wallet_player_evictions_total",
    meaning="Wallets that left Redis because they were idle.",
    remedy="If wallet_player_loads_total rises as fast, the same players leave and come back: raise "
    "WALLET_IDLE_EVICT_S.",
)
PLAYERS_IN_REDIS: Final = Gauge(
    "wallet_players_in_redis",
    meaning="Wallets of this writer's shards that the last sweep for idle ones left in Redis.",
    remedy="If Redis lacks memory, give it more, or lower WALLET_IDLE_EVICT_S.",
    merge="max",
)
LEDGER_LOOKUPS: Final = Counter(
    "wallet_ledger_lookups_total",
    meaning="Events that were looked up in SQL before they were executed or declined.",
    remedy="If there are more of them than declines, ask the provider why it sends old events.",
)
LEDGER_LOOKUP_DURATION_SECONDS: Final = Histogram(
    "wallet_ledger_lookup_duration_seconds",
    meaning="Time of one such look-up.",
    remedy="If it is slow, check the disk, and what else reads the ledger.",
    bounds=STEP_BOUNDS_S,
)
LEDGER_ENTRIES_COMMITTED: Final = Counter(
    "wallet_ledger_entries_committed_total",
    meaning="Ledger entries that were committed in SQL.",
    remedy="Compare with wallet_webhook_requests_total of code R0.",
)
LEDGER_COMMIT_DURATION_SECONDS: Final = Histogram(
    "wallet_ledger_commit_duration_seconds",
    meaning="One SQL transaction of the writer.",
    remedy="If it is slow, check the disk, and what else locks the database.",
    bounds=STEP_BOUNDS_S,
)
LEDGER_COMMIT_ENTRIES: Final = Histogram(
    "wallet_ledger_commit_entries",
    meaning="Entries of one SQL transaction of the writer.",
    remedy="None; with more load it grows, and each entry costs less.",
    bounds=COUNT_BOUNDS,
)
LEDGER_COMMIT_TIMESTAMP: Final = Gauge(
    "wallet_ledger_commit_timestamp_seconds",
    meaning="When the writer committed last, Unix time; 0 if this writer has not yet.",
    remedy="If it stands still while wallet_writer_lag_entries is not 0, read the writer's log.",
    merge="max",
)
MONEY: Final = Counter(
    "wallet_money_minor_units_total",
    meaning="Money that committed events of providers have moved, in minor units, by provider, currency, kind of "
    "event and direction: `in` from players to the house (stakes), `out` to players (payouts, refunds). "
    "Divide by 10 to the power of wallet_currency_digits.",
    remedy="If more goes out than comes in, look at the provider's rounds: `wallet rounds`.",
    labels=["provider", "currency", "kind", "direction"],
)
CURRENCY_DIGITS: Final = Gauge(
    "wallet_currency_digits",
    meaning="Decimal digits of the minor unit of a currency.",
    remedy="None; it turns minor units into amounts.",
    labels=["currency"],
    merge="max",
)
LEDGER_ENTRIES_VOID: Final = Counter(
    "wallet_ledger_entries_void_total",
    meaning="Entries that SQL refused, and those that rested on them, by cause: they moved nothing, and their events "
    "were decided again.",
    remedy="For `reused` find the provider that sends old ids or bets as new ones in the log (entry_refused). For "
    "the others find what set Redis back, and report it if there is nothing.",
    labels=["cause"],
)
LEDGER_VERIFIED: Final = Gauge(
    "wallet_ledger_verified_timestamp_seconds",
    meaning="When the admin process last got to the end of the ledger with WALLET_VERIFY_EVERY_S, Unix time; 0 if it "
    "has not yet.",
    remedy="If it stands still, read the log of the admin process.",
    merge="max",
)
LEDGER_VERIFY_INTERVAL: Final = Gauge(
    "wallet_ledger_verify_interval_seconds",
    meaning="WALLET_VERIFY_EVERY_S of the admin process; 0 if it does not verify.",
    remedy="None; it tells how old wallet_ledger_verified_timestamp_seconds may be.",
    merge="max",
)
LEDGER_FINDINGS: Final = Counter(
    "wallet_ledger_findings_total",
    meaning="What did not fit in entries that the admin process verified.",
    remedy="If it is not 0, run `wallet verify`, and see the log (`ledger_finding`).",
)
LEDGER_VERIFIED_ENTRIES: Final = Counter(
    "wallet_ledger_verified_entries_total",
    meaning="Entries that the admin process has verified.",
    remedy="If it stands still while wallet_ledger_entries_committed_total rises, read the log of the admin process.",
)
LEDGER_ACCOUNTS: Final = Gauge(
    "wallet_ledger_account_minor_units",
    meaning="The trial balance: the sum of each account (`player`, `debt`, `cash`, `house:…`) by currency, in minor "
    "units.",
    remedy="Compare with the statements of providers and banks.",
    labels=["currency", "account"],
    merge="max",
)
LEDGER_IMBALANCE: Final = Gauge(
    "wallet_ledger_imbalance_minor_units",
    meaning="The sum of all accounts of a currency, either way. It must be 0.",
    remedy="Stop, and run `wallet verify`.",
    labels=["currency"],
    merge="max",
)
LEDGER_BALANCED_TIMESTAMP: Final = Gauge(
    "wallet_ledger_trial_balance_timestamp_seconds",
    meaning="When the trial balance of these gauges was begun, Unix time; 0 if none is there yet. It is computed "
    "every WALLET_VERIFY_EVERY_S, and less often the longer it takes.",
    remedy="If it stands still for hours, read the log of the admin process.",
    merge="max",
)
LEDGER_BYTES: Final = Gauge(
    "wallet_ledger_bytes",
    meaning="Size of the ledger: of its `file` and the write-ahead `log` beside it, or of its `database`.",
    remedy="If the log grows without end, look for who reads the ledger for hours: a backup, a query.",
    labels=["of"],
    merge="max",
)
DISK_BYTES: Final = Gauge(
    "wallet_disk_bytes",
    meaning="Size of the disk with the ledger's file, or the data directory (`size`), and what is `free` on it.",
    remedy="Free space in time: when the disk is full, nothing is committed.",
    labels=["of"],
    merge="max",
)
PLAYERS_OWING: Final = Gauge(
    "wallet_players_owing",
    meaning="Players with a debt. 1,001 are more than 1,000.",
    remedy="List them with `wallet player list`. A debt is paid by the player's next wins and deposits.",
    merge="max",
)
OPEN_BETS: Final = Gauge(
    "wallet_open_bets",
    meaning="Bets that are placed and have no result yet, of all players.",
    remedy="If they grow and the players do not, results are missing: `wallet open-rounds`.",
    merge="max",
)
OLDEST_OPEN_BET_TIMESTAMP: Final = Gauge(
    "wallet_oldest_open_bet_timestamp_seconds",
    meaning="When the oldest of them was received, Unix time; 0 if there is none.",
    remedy="If it is older than a game can last, list such rounds with `wallet open-rounds`, and ask the provider.",
    merge="max",
)
OPEN_SESSIONS: Final = Gauge(
    "wallet_open_sessions",
    meaning="Sessions by provider that were not closed, and not left unused for WALLET_SESSION_S. Counted every 30 s, "
    "and less often the longer it takes.",
    remedy="None; compare with the logins of wallet_webhook_requests_total.",
    labels=["provider"],
    merge="max",
)
SHARD_EPOCH: Final = Gauge(
    "wallet_shard_epoch",
    meaning="The epoch of each shard, as SQL has it.",
    remedy="None; it grows with each recovery.",
    labels=["shard"],
    merge="max",
)
WRITER_BATCH_ENTRIES: Final = Gauge(
    "wallet_writer_batch_entries",
    meaning="Entries that the writer read in its last cycle and had not committed before.",
    remedy="If it nears WALLET_PENDING_MAX, from where bets are answered R1, check "
    "wallet_ledger_commit_duration_seconds.",
    merge="max",
)
WRITER_SHARDS: Final = Gauge(
    "wallet_writer_shards",
    meaning="Shards that the writer of this data directory holds.",
    remedy="If all writers together hold fewer than there are, or one holds none, read their logs.",
    merge="sum",
)
WRITER_SHARDS_LOST: Final = Counter(
    "wallet_writer_shards_lost_total",
    meaning="Shards that another writer has taken, because this one finished no cycle for too long.",
    remedy="Check wallet_ledger_commit_duration_seconds, and this machine's way to Redis and to the ledger.",
)
WRITER_LAG_ENTRIES: Final = Gauge(
    "wallet_writer_lag_entries",
    meaning="Entries that Redis has and SQL has not, of the shard that has most of them.",
    remedy="If it grows, check wallet_ledger_commit_duration_seconds and the disk. At WALLET_PENDING_MAX bets are "
    "answered R1.",
    merge="max",
)
WRITER_LAG_SECONDS: Final = Gauge(
    "wallet_writer_lag_seconds",
    meaning="For how long the oldest of these entries has been seen waiting. 0 if none is older than a second.",
    remedy="As for wallet_writer_lag_entries. At WALLET_DEADLINE_MS every event is answered R1.",
    merge="max",
)
EPOCHS_OPENED: Final = Counter(
    "wallet_epochs_opened_total",
    meaning="New epochs of shards by cause: a restart of Redis costs each shard one.",
    remedy="See wallet_redis_recoveries_total.",
    labels=["cause"],
)
SHARDS_STOPPED: Final = Gauge(
    "wallet_shards_stopped",
    meaning="Shards with an entry that only a newer version of this program can read. Their players get R1.",
    remedy="Install the newer version for the writer, too, and start it.",
    merge="max",
)
LEDGER_ENTRIES_MISSING: Final = Counter(
    "wallet_ledger_entries_missing_total",
    meaning="Entries that Redis called committed, so that they were acknowledged, and that neither ledger nor stream "
    "has.",
    remedy="Find out who has set the ledger back, and see `acknowledged_entries_missing` in the log.",
)
REDIS_RECOVERIES: Final = Counter(
    "wallet_redis_recoveries_total",
    meaning="Occasions on which shards needed new epochs, by cause, each counted once for all of its shards.",
    remedy="Find the start, restart or fail-over of Redis behind each of them. Investigate `fork` and `gap` if "
    "there was none.",
    labels=["cause"],
)
MESSAGES_DISBELIEVED: Final = Counter(
    "wallet_messages_disbelieved_total",
    meaning="What writers that the ledger does not name told of shards. No answer rests on them.",
    remedy="Look for another writer on this Redis, one of a copy of the ledger most likely, and stop it.",
)
FOREIGN_WRITER: Final = Gauge(
    "wallet_foreign_writer",
    meaning="1 while a writer that the ledger does not name works on this Redis. What has to be committed is R1 then.",
    remedy="Stop that writer, or give it a Redis of its own (`wallet docs operations`).",
    merge="max",
)
UNEXPECTED_ERRORS: Final = Counter(
    "wallet_unexpected_errors_total",
    meaning="Unexpected errors that a process survived, by component.",
    remedy="Read the log of that time. Report it, unless it is about a full disk or a locked database.",
    labels=["component"],
    start=COMPONENTS,
)
PROCESS_EXITS: Final = Counter(
    "wallet_process_exits_total",
    meaning="Processes of `wallet up` that ended without being told to, by role. Each one is restarted.",
    remedy="Read the exit status in the log line `process_exited`. After SIGKILL, check whether the machine ran out "
    "of memory.",
    labels=["role"],
    start=["worker", "writer", "admin"],
)
RELOAD_REFUSED: Final = Gauge(
    "wallet_reload_refused",
    meaning="1 if the last reload of a process that reads settings was refused, else 0. The settings before are in "
    "force: also a key or token that was taken out of the file.",
    remedy="Correct what `reload_refused` in the log says, and send SIGHUP again.",
    merge="max",
)
LOG_LINES_DROPPED: Final = Counter(
    "wallet_log_lines_dropped_total",
    meaning="Lines of the log that could not be written.",
    remedy="See that something reads standard error, and that its disk has room.",
)
BUILD_INFO: Final = Gauge(
    "wallet_build_info",
    meaning="1, with the versions of the wallet and of Python.",
    remedy="None; it tells which version the other numbers are of.",
    labels=["version", "python"],
    merge="max",
)
PROCESS_UP: Final = Gauge(
    "wallet_process_up",
    meaning="1 if all processes of this role answered when their counters were asked for, 0 if one did not or there "
    "is none.",
    remedy="Look for the process and its last lines in the log. Its counters are those of its last answer.",
    labels=["role"],
    merge="max",
)
COMPONENT_READY: Final = Gauge(
    "wallet_ready",
    meaning="1 for each component that `/readyz` calls ok, else 0.",
    remedy="Ask `/readyz`, which says why, and look that up (`wallet docs operations`).",
    labels=["component"],
    merge="max",
)
PROCESS_START_TIME_SECONDS: Final = Gauge(
    "wallet_process_start_time_seconds",
    meaning="When the youngest process of a role started, in seconds since 1970.",
    remedy="None; it tells of restarts.",
    labels=["role"],
    merge="max",
)
PROCESS_CPU_SECONDS: Final = Counter(
    "wallet_process_cpu_seconds_total",
    meaning="Time on a CPU by role, user and system.",
    remedy="If workers near one second a second each, raise WALLET_WORKERS.",
    labels=["role"],
)
PROCESS_RESIDENT_MEMORY_BYTES: Final = Gauge(
    "wallet_process_resident_memory_bytes",
    meaning="Memory of all processes of a role.",
    remedy="If it grows without end, report it, and restart these processes.",
    labels=["role"],
    merge="sum",
)
PROCESS_OPEN_FDS: Final = Gauge(
    "wallet_process_open_fds",
    meaning="Open files of the process of a role that has most of them.",
    remedy="If it nears `ulimit -n`, limit connections per source in the proxy, or raise that limit.",
    labels=["role"],
    merge="max",
)
PROCESS_LOOP_LAG_SECONDS: Final = Gauge(
    "wallet_process_loop_lag_seconds",
    meaning="By how much the event loop of a process was late at most, in the last 10 seconds; of the process of a "
    "role that was latest.",
    remedy="If workers are late, raise WALLET_WORKERS, or look for what else uses the CPU.",
    labels=["role"],
    merge="max",
)
CALLS_RECORDED: Final = Counter(
    "wallet_calls_recorded_total",
    meaning="Webhook calls that were written for the history of calls.",
    remedy="None; compare it with wallet_webhook_requests_total.",
)
CALLS_DROPPED: Final = Counter(
    "wallet_calls_dropped_total",
    meaning="Webhook calls that the history of calls lacks, by cause; of `broken` it counts files.",
    remedy="For `queue` look at the disk and at the workers' CPU; for `disk` see that the disk has room and that the "
    "admin process runs (`calls_dropped` in the log). For `strangers` do nothing: only some calls without a right key "
    "are kept. Report `broken`, except after a loss of power.",
    labels=["cause"],
    start=["queue", "disk", "strangers", "broken"],
)

ALL: Final[tuple[Metric[Any], ...]] = tuple(value for value in globals().values() if isinstance(value, Metric))
"""In the order of their declaration."""
