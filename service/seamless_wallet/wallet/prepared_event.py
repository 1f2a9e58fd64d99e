"""One command on its way through the scripts: its identity, its keys and its arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from seamless_wallet.commands import (
    BET_KINDS,
    CHANGE_TOLERANCE_MS,
    CHANGES_MAX,
    FUTURE_MAX_MS,
    Command,
    Kind,
    Policy,
    event_digest,
    fingerprint,
    round_digest,
)
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import (
    AmountItem,
    BetArgs,
    CancelArgs,
    ChangeArgs,
    ChangeItem,
    EventArgs,
    LoginArgs,
    ResultItem,
    StatusArgs,
    TransferArgs,
)
from seamless_wallet.engine.scripts import Argument, Script, load_scripts
from seamless_wallet.ledger.payload import encode_payload
from seamless_wallet.ledger.records import LedgerLookup

_SCRIPT_OF: Final[Mapping[Kind, str]] = {
    Kind.LOGIN: "login",
    Kind.LOGOUT: "logout",
    Kind.BET: "bet",
    Kind.CANCEL: "cancel",
    Kind.RESULT: "result",
    Kind.CHANGE: "change",
    Kind.CREATE: "create",
    Kind.DEPOSIT: "transfer",
    Kind.WITHDRAW: "transfer",
    Kind.STATUS: "status",
}


class PreparedEvent:
    """A command with what is computed once for all its attempts."""

    __slots__ = (
        "command",
        "digest",
        "fingerprint",
        "payload",
        "policy",
        "round_digest",
        "script",
        "shard",
        "waits_since_s",
    )

    def __init__(self, command: Command, policy: Policy, shard: int, since_s: float = 0.0) -> None:
        self.waits_since_s = since_s  # by the monotonic clock; afterwards since Redis answered it last
        self.command = command
        self.policy = policy
        self.shard = shard
        self.digest = event_digest(command)
        self.fingerprint = fingerprint(command)
        self.round_digest = round_digest(command) if command.kind in BET_KINDS else None
        self.payload = encode_payload(command)
        self.script: Script = load_scripts()[_SCRIPT_OF[command.kind]]

    @property
    def key(self) -> tuple[str, bytes]:
        """By what SQL finds the event: user_id and digest."""
        return self.command.user_id, self.digest

    def keys(self, epoch: int, period: int) -> tuple[str, ...]:
        """KEYS of every event script."""
        shard, user_id = self.shard, self.command.user_id
        common = (
            keys.head(shard),
            keys.wallet(shard, epoch, user_id),
            keys.events(shard, epoch, user_id, period),
            keys.events(shard, epoch, user_id, period - 1),
            keys.stream(shard, epoch),
        )
        if self.round_digest is None:
            return common
        return (*common, keys.round_(shard, epoch, self.round_digest))

    def arguments(
        self, *, epoch: int, period: int, token: str, pending_max: int, window_ms: int, lookup: LedgerLookup | None
    ) -> Iterable[Argument]:
        """ARGV: the common part, the script's own, the items."""
        command = self.command
        common = EventArgs(
            epoch,
            period,
            self.digest,
            self.fingerprint,
            self.payload,
            token,
            pending_max,
            window_ms,
            command.received_ms,
            command.timestamp_ms,
            command.user_id,
            command.provider,
            command.currency,
            "" if lookup is None else lookup.seq,
        )
        return (*common, *self._own(), *self._items(lookup))

    def _own(self) -> tuple[Argument, ...]:
        policy, command = self.policy, self.command
        match command.kind:
            case Kind.LOGIN:
                return LoginArgs(FUTURE_MAX_MS)
            case Kind.BET:
                required = int(policy.session_required)
                return BetArgs(required, policy.session_ms, policy.session_grace_ms, policy.bet_age_max_ms)
            case Kind.CANCEL:
                return CancelArgs(policy.cancel_unknown)
            case Kind.CHANGE:
                return ChangeArgs(policy.change_overdraw, CHANGES_MAX, CHANGE_TOLERANCE_MS)
            case Kind.DEPOSIT | Kind.WITHDRAW:
                return TransferArgs(command.kind.value, command.amount)
            case Kind.STATUS:
                return StatusArgs(command.status)
            case _:
                return ()

    def _items(self, lookup: LedgerLookup | None) -> Iterable[Argument]:
        items = self.command.items

        def cold(index: str) -> str:
            if lookup is None:
                return ""
            bet = lookup.bets.get(index)
            return "-" if bet is None else bet.text()

        match self.command.kind:
            case Kind.BET | Kind.CANCEL:
                return chain.from_iterable(AmountItem(i.bet_index, i.amount, cold(i.bet_index)) for i in items)
            case Kind.RESULT:
                return chain.from_iterable(
                    ResultItem(i.bet_index, i.amount, i.winloss, cold(i.bet_index)) for i in items
                )
            case Kind.CHANGE:
                return chain.from_iterable(
                    ChangeItem(i.bet_index, i.amount, i.winloss, i.winloss_before, cold(i.bet_index)) for i in items
                )
            case _:
                return ()
