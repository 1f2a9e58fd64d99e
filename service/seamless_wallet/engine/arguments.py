"""The arguments of each script: one NamedTuple each, in the order of its ARGV.

`tests/lua/test_contracts.py` compares every tuple with the header and the first lines of its script.
"""

from __future__ import annotations

from typing import NamedTuple


class EventArgs(NamedTuple):
    """ARGV of every event script, before its own."""

    epoch: int
    period: int
    digest: bytes
    fingerprint: bytes
    payload: bytes
    token: str
    pending_max: int
    window_ms: int
    now_ms: int
    timestamp_ms: int
    user_id: str
    provider: str
    currency: str
    snapshot_seq: int | str


class LoginArgs(NamedTuple):
    """ARGV of `login` after the common ones."""

    future_max_ms: int


class BetArgs(NamedTuple):
    """ARGV of `bet` after the common ones."""

    session_required: int
    session_ms: int
    session_grace_ms: int
    age_max_ms: int


class CancelArgs(NamedTuple):
    """ARGV of `cancel` after the common ones."""

    unknown: str


class ChangeArgs(NamedTuple):
    """ARGV of `change` after the common ones."""

    overdraw: str
    changes_max: int
    change_tolerance_ms: int


class TransferArgs(NamedTuple):
    """ARGV of `transfer` after the common ones; the amount in minor units."""

    direction: str
    amount: int


class StatusArgs(NamedTuple):
    """ARGV of `status` after the common ones."""

    new_status: str


class AmountItem(NamedTuple):
    """One item of `bet` and `cancel`."""

    bet_index: str
    amount: int
    cold: str


class ResultItem(NamedTuple):
    """One item of `result`."""

    bet_index: str
    amount: int
    winloss: int
    cold: str


class ChangeItem(NamedTuple):
    """One item of `change`."""

    bet_index: str
    amount: int
    winloss: int
    winloss_before: int
    cold: str


class SuspendArgs(NamedTuple):
    """ARGV of `suspend`; `cold_provider` is "" if no id was used again, `rounds` are digests in a row."""

    epoch: int
    nonce: str
    cold_provider: str
    rounds: bytes
    frozen: int


class ForgetRoundArgs(NamedTuple):
    """ARGV of `forget_round`."""

    epoch: int
    nonce: str


class EvictArgs(NamedTuple):
    """ARGV of `evict`."""

    epoch: int
    nonce: str
    seq: int


class EvictIdleArgs(NamedTuple):
    """ARGV of `evict_idle`; `idle_seq` is what SQL had when the time of idleness began."""

    epoch: int
    nonce: str
    idle_seq: int


class ExpireRoundArgs(NamedTuple):
    """ARGV of `expire_round`."""

    epoch: int
    nonce: str
    idle_ms: int


class InstallArgs(NamedTuple):
    """ARGV of `install`, before its fields and values."""

    epoch: int
    period: int
    snapshot_seq: int


class InstallEventsArgs(NamedTuple):
    """ARGV of `install_events`, before its digests and records."""

    epoch: int
    period: int
    snapshot_seq: int
    window_ms: int


class InstallRoundArgs(NamedTuple):
    """ARGV of `install_round`, before its bet indexes and bets."""

    epoch: int
    period: int
    snapshot_seq: int
    window_ms: int
    open_bets: int


class GateArgs(NamedTuple):
    """ARGV of `gate`; `nonce_before` is that of the head that it may replace, `token` what the first entry follows."""

    epoch: int
    seq: int
    ledger_uuid: str
    nonce: str
    nonce_before: str
    token: str


class TakeOverArgs(NamedTuple):
    """ARGV of `take_over`; `nonce_before` is "" if the head has none."""

    epoch: int
    nonce: str
    nonce_before: str


class ConfirmArgs(NamedTuple):
    """ARGV of `confirm`; `tail` is the number of committed entries that stay in each stream."""

    tail: int
    window_ms: int
    nonce: str
    channel: str


class ConfirmItem(NamedTuple):
    """One shard of `confirm`.

    `tokens`, separated by spaces, are those of the attempts whose entries were committed just now.
    """

    shard: int
    epoch: int
    seq: int
    tokens: str
