"""The ledger: the writer, the disk, and whether everything holds together."""

from __future__ import annotations

from typing import Final

from deploy.dashboards.panels import Page, Panel

RATE: Final = '{job="$job"}[$__rate_interval]'

COMMITTED: Final = 'wallet_ledger_commit_timestamp_seconds{job="$job"}'


def quantile(share: float, metric: str) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{RATE})))"


PAGE: Final = Page(
    uid="wallet-ledger",
    title="Wallet: ledger",
    stats=[
        Panel(
            title="Findings",
            queries=[('max(wallet_ledger_findings_total{job="$job"})', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletLedgerBroken"],
            text="What did not fit in verified entries. Must be 0.",
        ),
        Panel(
            title="Trial balance off by",
            queries=[('max(wallet_ledger_imbalance_minor_units{job="$job"}) or vector(0)', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletTrialBalanceBroken"],
            text="Of the currency that is off most, in minor units. Must be 0.",
        ),
        Panel(
            title="Verified",
            queries=[('time() - max(wallet_ledger_verified_timestamp_seconds{job="$job"} > 0)', "ago")],
            unit="s",
            limits=(1800, 7200),
            alerts=["WalletLedgerNotVerified"],
            text="Since the admin process got to the end of the ledger.",
        ),
        Panel(
            title="Last commit",
            queries=[
                (f"clamp_min(time() - max(max_over_time({COMMITTED}[1h]) > 0), 0)", "ago"),
            ],
            unit="s",
            text="Without traffic it gets older, and that is all right.",
        ),
        Panel(
            title="Disk free",
            queries=[
                (
                    'max(wallet_disk_bytes{job="$job", of="free"}) / max(wallet_disk_bytes{job="$job", of="size"})',
                    "",
                )
            ],
            unit="percentunit",
            limits=(0.05, 0.2),
            falling=True,
            alerts=["WalletDiskFull", "WalletDiskFills"],
            text="Of the disk that has the ledger.",
        ),
        Panel(
            title="Shards stopped",
            queries=[('max(wallet_shards_stopped{job="$job"})', "")],
            unit="none",
            limits=(1,),
            alerts=["WalletShardStopped"],
            text="They wait for a newer version of the writer.",
        ),
    ],
    graphs=[
        Panel(
            title="Entries and commits",
            queries=[
                (f"rate(wallet_ledger_entries_committed_total{RATE})", "entries"),
                (f"rate(wallet_ledger_commit_duration_seconds_count{RATE})", "commits"),
            ],
            unit="ops",
            text="Committed a second.",
        ),
        Panel(
            title="Duration of a commit",
            queries=[
                (quantile(0.5, "wallet_ledger_commit_duration_seconds"), "p50"),
                (quantile(0.99, "wallet_ledger_commit_duration_seconds"), "p99"),
            ],
            unit="s",
            limits=(0.1, 0.3),
            alerts=["WalletUnpersistedEntryOld"],
            text="One transaction of the writer, with its fsync.",
        ),
        Panel(
            title="Entries of a commit",
            queries=[
                (
                    f"rate(wallet_ledger_commit_entries_sum{RATE}) / rate(wallet_ledger_commit_entries_count{RATE})",
                    "average",
                ),
                (quantile(0.99, "wallet_ledger_commit_entries"), "p99"),
            ],
            unit="short",
            text="With more load it grows, and each entry costs less.",
        ),
        Panel(
            title="Entries that SQL has not",
            queries=[
                ('wallet_writer_lag_entries{job="$job"}', "of the shard that has most"),
                ('wallet_writer_batch_entries{job="$job"}', "in the writer's last cycle"),
            ],
            unit="short",
            alerts=["WalletUnpersistedEntryOld"],
            text="At WALLET_PENDING_MAX of a shard bets are answered R1.",
        ),
        Panel(
            title="Oldest entry that SQL has not",
            queries=[('wallet_writer_lag_seconds{job="$job"}', "waiting")],
            unit="s",
            limits=(1, 2),
            alerts=["WalletUnpersistedEntryOld"],
            text="0 if none is older than a second.",
        ),
        Panel(
            title="Void, missing, foreign",
            queries=[
                (f"sum by (cause) (increase(wallet_ledger_entries_void_total{RATE}))", "void: {{cause}}"),
                (f"increase(wallet_ledger_entries_missing_total{RATE})", "missing"),
                ('wallet_foreign_writer{job="$job"}', "foreign writer"),
            ],
            unit="short",
            alerts=["WalletEntriesVoid", "WalletEntriesMissing", "WalletForeignWriter"],
            text="What SQL refused; what was acknowledged and is in no ledger; whether another writer is at work.",
        ),
        Panel(
            title="Size",
            queries=[('wallet_ledger_bytes{job="$job"}', "{{of}}")],
            unit="bytes",
            text="The file, and the write-ahead log beside it. The log grows while something reads for long.",
        ),
        Panel(
            title="Disk",
            queries=[('wallet_disk_bytes{job="$job"}', "{{of}}")],
            unit="bytes",
            alerts=["WalletDiskFull", "WalletDiskFills", "WalletGaugesAbsent"],
            text="Of the disk that has the ledger.",
        ),
        Panel(
            title="Verified entries",
            queries=[
                (f"rate(wallet_ledger_verified_entries_total{RATE})", "verified"),
                (f"rate(wallet_ledger_entries_committed_total{RATE})", "committed"),
            ],
            unit="ops",
            alerts=["WalletLedgerBroken", "WalletLedgerNotVerified"],
            text="A second, by the admin process: it follows what is committed, in turns of WALLET_VERIFY_EVERY_S.",
        ),
        Panel(
            title="Accounts",
            queries=[
                (
                    (
                        'wallet_ledger_account_minor_units{job="$job"} / on (currency) group_left () '
                        '10 ^ max by (currency) (wallet_currency_digits{job="$job"})'
                    ),
                    "{{account}} {{currency}}",
                )
            ],
            unit="short",
            signed=True,
            alerts=["WalletTrialBalanceBroken", "WalletTrialBalanceOld"],
            text="The trial balance, in major units. They add up to zero.",
        ),
        Panel(
            title="Players who owe",
            queries=[('wallet_players_owing{job="$job"}', "players")],
            unit="short",
            text="1,001 are more than 1,000. `wallet player list` names them.",
        ),
    ],
)
