"""Redis: memory, scripts, streams, recoveries."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Page, Panel

RATE: Final = '{job="$job"}[$__rate_interval]'
RECOVERIES: Final = ("WalletRecoveryLoop", "WalletHistoryContradicted")

PAGE: Final = Page(
    uid="wallet-redis",
    title="Wallet: Redis",
    stats=[
        Panel(
            title="Memory of the limit",
            queries=[
                (
                    (
                        'max(wallet_redis_memory_bytes{job="$job", of="used"}) / '
                        '(max(wallet_redis_memory_bytes{job="$job", of="limit"}) > 0) or vector(0)'
                    ),
                    "",
                )
            ],
            unit="percentunit",
            limits=(0.7, 0.85),
            alerts=["WalletRedisMemoryShort"],
            text="0 without a `maxmemory`.",
        ),
        Panel(
            title="CPU",
            queries=[(f"rate(wallet_redis_cpu_seconds_total{RATE})", "")],
            unit="percentunit",
            limits=(0.7, 0.9),
            text="100 % is one processor: then Redis limits the wallet.",
        ),
        Panel(
            title="One script",
            queries=[
                (f"rate(wallet_redis_script_seconds_total{RATE}) / rate(wallet_redis_script_calls_total{RATE})", "")
            ],
            unit="s",
            limits=(0.0001, 0.001),
            text="The average time that Redis spends in one.",
        ),
        Panel(
            title="Recoveries, 24 h",
            queries=[('sum(increase(wallet_redis_recoveries_total{job="$job"}[24h]))', "")],
            unit="none",
            limits=(2, 5),
            alerts=RECOVERIES,
            text="Occasions on which shards needed new epochs.",
        ),
        Panel(
            title="Keys thrown away, 24 h",
            queries=[('increase(wallet_redis_evicted_keys_total{job="$job"}[24h])', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletRedisEvicts"],
            text="Must be 0.",
        ),
        Panel(
            title="Clock difference",
            queries=[('max(wallet_clock_difference_seconds{job="$job"})', "")],
            unit="s",
            limits=(0.2, 1),
            alerts=["WalletClocksDiffer"],
            text="Between Redis or PostgreSQL and the machine of the wallet.",
        ),
    ],
    graphs=[
        Panel(
            title="Memory",
            queries=[('wallet_redis_memory_bytes{job="$job"} > 0', "{{of}}")],
            unit="bytes",
            alerts=["WalletRedisMemoryShort", "WalletGaugesAbsent"],
            text="When it is full, events that write are R1.",
        ),
        Panel(
            title="Keys, wallets, entries in streams",
            queries=[
                ('wallet_redis_keys{job="$job"}', "keys"),
                ('wallet_players_in_redis{job="$job"}', "wallets after the last sweep"),
                ('wallet_redis_stream_entries{job="$job"}', "entries in streams"),
            ],
            unit="short",
            text="Streams keep WALLET_STREAM_TAIL committed entries a shard, and what waits for the writer.",
        ),
        Panel(
            title="Connections",
            queries=[('wallet_redis_clients{job="$job"}', "clients")],
            unit="short",
            text="Each process of the wallet has a few.",
        ),
        Panel(
            title="Scripts",
            queries=[(f"rate(wallet_redis_script_calls_total{RATE})", "scripts")],
            unit="ops",
            text="Runs a second.",
        ),
        Panel(
            title="Time of one script",
            queries=[
                (
                    f"rate(wallet_redis_script_seconds_total{RATE}) / rate(wallet_redis_script_calls_total{RATE})",
                    "average",
                )
            ],
            unit="s",
            limits=(0.0001, 0.001),
            text="Time within Redis, without the way there.",
        ),
        Panel(
            title="Commands written at once",
            queries=[
                (
                    (
                        f"sum(rate(wallet_redis_batch_commands_sum{RATE}))"
                        f" / sum(rate(wallet_redis_batch_commands_count{RATE}))"
                    ),
                    "average",
                ),
                (
                    f"histogram_quantile(0.99, sum by (le) (rate(wallet_redis_batch_commands_bucket{RATE})))",
                    "p99",
                ),
            ],
            unit="short",
            text="The depth of the pipelines: with more load it grows, and each command costs less.",
        ),
        Panel(
            title="Recoveries by cause",
            queries=[(f"sum by (cause) (increase(wallet_redis_recoveries_total{RATE}))", "{{cause}}")],
            unit="short",
            alerts=RECOVERIES,
            text="`server`, `head`, `noscript`: a Redis that was restarted, emptied or failed over.",
        ),
        Panel(
            title="Epochs by shard",
            queries=[('wallet_shard_epoch{job="$job"}', "shard {{shard}}")],
            unit="none",
            text="Each recovery gives a shard a new one.",
        ),
        Panel(
            title="Broken connections",
            queries=[(f"sum by (kind) (increase(wallet_redis_connection_errors_total{RATE}))", "{{kind}}")],
            unit="short",
            text="By kind.",
        ),
    ],
)
