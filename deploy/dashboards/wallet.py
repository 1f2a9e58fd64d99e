"""Wallet internals: where a call's time goes, look-ups and loads, processes."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Page, Panel

PHASE: Final = "wallet_webhook_phase_duration_seconds"
RATE: Final = '{job="$job"}[$__rate_interval]'


def quantile(share: float, metric: str, by: str = "") -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{RATE})))"


def rate(metric: str, by: str) -> tuple[str, str]:
    """How often a second, by one label."""
    return f"sum by ({by}) (rate({metric}{RATE}))", f"{{{{{by}}}}}"


PAGE: Final = Page(
    uid="wallet-wallet",
    title="Wallet: internals",
    stats=[
        Panel(
            title="Components not ready",
            queries=[('count(wallet_ready{job="$job"} == 0) or vector(0)', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletNotReady", "WalletProcessDown"],
            text="/readyz says which, and why.",
        ),
        Panel(
            title="Unexpected errors, 1 h",
            queries=[('sum(increase(wallet_unexpected_errors_total{job="$job"}[1h]))', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletUnexpectedErrors"],
            text="What a process met and did not expect.",
        ),
        Panel(
            title="Processes ended, 1 h",
            queries=[('sum(increase(wallet_process_exits_total{job="$job"}[1h]))', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletProcessRestarts"],
            text="Without being told to. Each is started again.",
        ),
        Panel(
            title="Event loop late",
            queries=[('max(wallet_process_loop_lag_seconds{job="$job"})', "")],
            unit="s",
            limits=(0.1, 0.3),
            alerts=["WalletLoopLate"],
            text="Of the process that is latest, in the last ten seconds.",
        ),
        Panel(
            title="Log lines lost, 1 h",
            queries=[('increase(wallet_log_lines_dropped_total{job="$job"}[1h])', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletLogLinesDropped"],
            text="Nobody read them, or the disk was full.",
        ),
        Panel(
            title="Youngest process",
            queries=[('time() - max(wallet_process_start_time_seconds{job="$job"})', "")],
            unit="s",
            text="Since the last start or reload.",
        ),
    ],
    graphs=[
        Panel(
            title="Where the time goes",
            queries=[
                (f"sum by (phase) (rate({PHASE}_sum{RATE})) / sum by (phase) (rate({PHASE}_count{RATE}))", "{{phase}}")
            ],
            unit="s",
            stacked=True,
            alerts=["WalletLatencyBudgetBurnsFast", "WalletLatencyBudgetBurns"],
            text="Averages: open (decrypt, decode), queue (look-ups, loads), redis, commit (SQL), reply.",
        ),
        Panel(
            title="p99 by phase",
            queries=[(quantile(0.99, PHASE, ", phase"), "{{phase}}")],
            unit="s",
            limits=(0.3,),
            text="99 of 100 are faster.",
        ),
        Panel(
            title="Waiting",
            queries=[
                ('wallet_commit_waiters{job="$job"}', "for the commit"),
                ('wallet_redis_commands_in_flight{job="$job"}', "for Redis"),
            ],
            unit="short",
            text="Calls that wait until their entry is committed, and commands that Redis has not answered.",
        ),
        Panel(
            title="Look-ups and loads",
            queries=[
                (f"sum(rate(wallet_ledger_lookups_total{RATE}))", "look-ups in SQL"),
                (f"sum by (outcome) (rate(wallet_player_loads_total{RATE}))", "load {{outcome}}"),
                (f"sum(rate(wallet_player_evictions_total{RATE}))", "idle wallets that left"),
            ],
            unit="ops",
            text="What had to ask SQL before it could be decided.",
        ),
        Panel(
            title="Look-ups and loads, p99",
            queries=[
                (quantile(0.99, "wallet_ledger_lookup_duration_seconds"), "look-up"),
                (quantile(0.99, "wallet_player_load_duration_seconds"), "load"),
            ],
            unit="s",
            limits=(0.3,),
            text="99 of 100 are faster.",
        ),
        Panel(
            title="Confirmed late, or not at all",
            queries=[
                (f"sum(rate(wallet_attempts_looked_up_total{RATE}))", "found in SQL"),
                (f"sum(rate(wallet_attempts_lost_total{RATE}))", "lost with their epoch"),
                (f"sum(rate(wallet_messages_disbelieved_total{RATE}))", "of a foreign writer"),
            ],
            unit="ops",
            alerts=["WalletForeignWriter"],
            text="Entries whose confirmation did not come by the writer's message.",
        ),
        Panel(
            title="CPU by role",
            queries=[rate("wallet_process_cpu_seconds_total", "role")],
            unit="percentunit",
            text="100 % is one processor. Workers: of all of them together.",
        ),
        Panel(
            title="Memory by role",
            queries=[('wallet_process_resident_memory_bytes{job="$job"}', "{{role}}")],
            unit="bytes",
            text="Resident, of all processes of a role.",
        ),
        Panel(
            title="Event loop late, by role",
            queries=[('wallet_process_loop_lag_seconds{job="$job"}', "{{role}}")],
            unit="s",
            limits=(0.3,),
            alerts=["WalletLoopLate"],
            text="At most, in the last ten seconds.",
        ),
        Panel(
            title="Processes",
            queries=[
                ('wallet_process_up{job="$job"}', "{{role}}"),
                ('wallet_ready{job="$job"}', "ready: {{component}}"),
            ],
            unit="none",
            alerts=["WalletProcessDown", "WalletNotReady"],
            text="1: answers, or is ready. 0: does not, or is not.",
        ),
        Panel(
            title="Connections and open files",
            queries=[
                ('wallet_http_connections{job="$job"}', "connections: {{server}}"),
                ('wallet_process_open_fds{job="$job"}', "files: {{role}}"),
            ],
            unit="short",
            text="Near `ulimit -n` new connections are closed.",
        ),
        Panel(
            title="Unexpected",
            queries=[
                (f"sum by (component) (increase(wallet_unexpected_errors_total{RATE}))", "error: {{component}}"),
                (f"sum by (server) (increase(wallet_http_malformed_requests_total{RATE}))", "not HTTP: {{server}}"),
                (f"sum by (reason) (increase(wallet_backoffice_unauthorized_total{RATE}))", "token: {{reason}}"),
                (f"sum by (step) (increase(wallet_audit_records_failed_total{RATE}))", "not recorded: {{step}}"),
            ],
            unit="short",
            alerts=["WalletUnexpectedErrors", "WalletAdminTokenGuessed", "WalletActionsNotRecorded"],
            text="Errors by component, requests that were none, and calls of the back office that were not let in, or "
            "could not be recorded.",
        ),
        Panel(
            title="Certificate",
            queries=[
                (
                    'min by (server) (wallet_tls_certificate_expiry_timestamp_seconds{job="$job"}) - time()',
                    "expires: {{server}}",
                ),
            ],
            unit="s",
            limits=(7 * 86_400, 30 * 86_400),
            falling=True,
            alerts=["WalletCertificateExpires", "WalletCertificateExpiresSoon"],
            text="For how long the certificate that is served is valid. Empty without HTTPS.",
        ),
        Panel(
            title="History of calls",
            queries=[
                (f"sum(rate(wallet_calls_recorded_total{RATE}))", "recorded"),
                (f"sum by (cause) (rate(wallet_calls_dropped_total{RATE}))", "dropped: {{cause}}"),
            ],
            unit="ops",
            alerts=["WalletCallsDropped"],
            text="A second. Of strangers' calls only some are kept; of broken files the number is shown.",
        ),
        Panel(
            title="Reload refused",
            queries=[('max(wallet_reload_refused{job="$job"})', "refused")],
            unit="none",
            limits=(1,),
            alerts=["WalletReloadRefused"],
            text="1: the settings of the last SIGHUP were refused, and those before are in force.",
        ),
    ],
)
