"""The overview: rate, errors, latency, money in and out by provider."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import GREEN, RED, Page, Panel

CHOSEN: Final = 'job="$job", provider=~"$provider"'
POLICIES: Final = "orphan|change_early|change_outdated|blocked|no_session|settlements_only"
"""R1 of these reasons is no error (docs/slo.md)."""

ERRORS: Final = ("WalletErrorBudgetBurnsFast", "WalletErrorBudgetBurns", "WalletErrorBudgetBurnsSlowly")
SLOW: Final = ("WalletLatencyBudgetBurnsFast", "WalletLatencyBudgetBurns")


def quantile(share: float, labels: str, by: str = "") -> str:
    """A quantile of the calls' duration."""
    buckets = f"rate(wallet_webhook_request_duration_seconds_bucket{{{labels}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le{by}) ({buckets}))"


def money(direction: str) -> str:
    """Amounts a minute by provider and currency, in major units; of currencies that were ever played with."""
    moved = f'wallet_money_minor_units_total{{{CHOSEN}, direction="{direction}"}}'
    digits = 'max by (currency) (wallet_currency_digits{job="$job"})'
    return (
        f"60 * sum by (provider, currency) (rate({moved}[$__rate_interval]))"
        f" / on (currency) group_left () 10 ^ {digits}"
        f" and sum by (provider, currency) ({moved}) > 0"
    )


PAGE: Final = Page(
    uid="wallet-overview",
    title="Wallet: overview",
    by_provider=True,
    stats=[
        Panel(
            title="Ready",
            queries=[('min(wallet_ready{job="$job"})', "")],
            unit="none",
            limits=(1,),
            falling=True,
            words={"0": ("not ready", RED), "1": ("ready", GREEN)},
            alerts=["WalletNotReady", "WalletMetricsAbsent"],
            text="Whether every component of /readyz is ok. The wallet's dashboard says which is not.",
        ),
        Panel(
            title="Calls",
            queries=[(f"sum(rate(wallet_webhook_requests_total{{{CHOSEN}}}[$__rate_interval]))", "")],
            unit="reqps",
            text="Answered calls a second.",
        ),
        Panel(
            title="Errors",
            queries=[('wallet:call_errors:ratio_rate5m{job="$job"}', "")],
            unit="percentunit",
            limits=(0.001, 0.0144),
            alerts=ERRORS,
            text="Share of calls that were not decided in the last five minutes, of all providers.",
        ),
        Panel(
            title="Slower than 0.3 s",
            queries=[('wallet:call_slow:ratio_rate5m{job="$job"}', "")],
            unit="percentunit",
            limits=(0.01, 0.144),
            alerts=SLOW,
            text="Share of calls that took longer in the last five minutes, of all providers.",
        ),
        Panel(
            title="Oldest entry without SQL",
            queries=[('max(wallet_writer_lag_seconds{job="$job"})', "")],
            unit="s",
            limits=(1, 2),
            alerts=["WalletUnpersistedEntryOld"],
            text="For how long the oldest entry has been waiting for the writer; 0 if none is older than a second.",
        ),
        Panel(
            title="Error budget left",
            queries=[('1 - wallet:call_errors:ratio_rate3d{job="$job"} / 0.001', "")],
            unit="percentunit",
            limits=(0, 0.5),
            falling=True,
            alerts=ERRORS,
            text="What the last three days have left of the errors that 99.9 % allow for them.",
        ),
    ],
    graphs=[
        Panel(
            title="Calls by event",
            queries=[
                (f"sum by (event) (rate(wallet_webhook_requests_total{{{CHOSEN}}}[$__rate_interval]))", "{{event}}")
            ],
            unit="reqps",
            stacked=True,
            text="Answered calls a second.",
        ),
        Panel(
            title="Answers by code",
            queries=[
                (f"sum by (code) (rate(wallet_webhook_requests_total{{{CHOSEN}}}[$__rate_interval]))", "{{code}}")
            ],
            unit="reqps",
            stacked=True,
            text="R0 processed, R1 failed for now or by a policy, R2 not let in, R3 not valid, R4 not enough money.",
        ),
        Panel(
            title="Errors by reason",
            queries=[
                (
                    (
                        "sum by (reason) (rate(wallet_webhook_requests_total"
                        f'{{{CHOSEN}, code="R1", reason!~"{POLICIES}"}}[$__rate_interval]))'
                    ),
                    "{{reason}}",
                )
            ],
            unit="reqps",
            alerts=ERRORS,
            text="R1 that no policy gives. `wallet docs codes` explains each reason.",
        ),
        Panel(
            title="Latency",
            queries=[(quantile(share, CHOSEN), name) for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))],
            unit="s",
            limits=(0.3, 3),
            alerts=SLOW,
            text="From the end of the request's body to the sealed reply. Providers give up after 0.3 s or 3 s.",
        ),
        Panel(
            title="p99 by provider",
            queries=[(quantile(0.99, CHOSEN, ", provider"), "{{provider}}")],
            unit="s",
            limits=(0.3, 3),
            alerts=SLOW,
            text="99 of 100 calls are faster.",
        ),
        Panel(
            title="p99 by event",
            queries=[(quantile(0.99, CHOSEN, ", event"), "{{event}}")],
            unit="s",
            limits=(0.3, 3),
            text="99 of 100 calls are faster.",
        ),
        Panel(
            title="Money in",
            queries=[(money("in"), "{{provider}} {{currency}}")],
            unit="short",
            text="From players to the house, a minute: stakes, and changes that take back. In major units.",
        ),
        Panel(
            title="Money out",
            queries=[(money("out"), "{{provider}} {{currency}}")],
            unit="short",
            text="To players, a minute: payouts, refunds, and changes that pay more. In major units.",
        ),
        Panel(
            title="Paid out of what came in",
            queries=[
                (
                    (
                        f"sum by (provider, currency) (increase(wallet_money_minor_units_total"
                        f'{{{CHOSEN}, direction="out"}}[1h])) / sum by (provider, currency) '
                        f'(increase(wallet_money_minor_units_total{{{CHOSEN}, direction="in"}}[1h]))'
                    ),
                    "{{provider}} {{currency}}",
                )
            ],
            unit="percentunit",
            limits=(1,),
            text="Of the last hour. Over 100 % for long: look at the provider's rounds.",
        ),
        Panel(
            title="Not let in, or not valid",
            queries=[
                (
                    (
                        "sum by (code, reason) (rate(wallet_webhook_requests_total"
                        f'{{{CHOSEN}, code=~"R2|R3"}}[$__rate_interval]))'
                    ),
                    "{{code}} {{reason}}",
                )
            ],
            unit="reqps",
            alerts=["WalletUndecryptable"],
            text="R2 and R3 by reason: strangers, a wrong set-up, requests that can never succeed.",
        ),
        Panel(
            title="Anomalies",
            queries=[
                (f"sum by (reason) (increase(wallet_anomalies_total{{{CHOSEN}}}[$__rate_interval]))", "{{reason}}")
            ],
            unit="short",
            alerts=["WalletConflict"],
            text="Events that contradict what is stored. A conflict is an attack until it is explained.",
        ),
        Panel(
            title="Calls by key",
            queries=[
                (
                    f"sum by (provider, key) (rate(wallet_webhook_api_keys_total{{{CHOSEN}}}[$__rate_interval]))",
                    "{{provider}} {{key}}",
                )
            ],
            unit="reqps",
            text="After a change of key, `previous` has to come to nothing before it is removed.",
        ),
        Panel(
            title="Open sessions",
            queries=[('wallet_open_sessions{job="$job", provider=~"$provider"}', "{{provider}}")],
            unit="short",
            stacked=True,
            text="Not closed, and not left unused for WALLET_SESSION_S.",
        ),
        Panel(
            title="Open bets",
            queries=[('wallet_open_bets{job="$job"}', "bets")],
            unit="short",
            text="Placed, without a result yet, of all providers. If they alone grow, results are missing.",
        ),
        Panel(
            title="Oldest open bet",
            queries=[('time() - (wallet_oldest_open_bet_timestamp_seconds{job="$job"} > 0)', "age")],
            unit="s",
            text="`wallet open-rounds --hours 24` lists the rounds that are open for long.",
        ),
    ],
)
