"""One command on its way through the scripts: its identity, its keys and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Final

from seamless_wallet.commands import (
    BET_KINDS,
    CHANGE_TOLERANCE_MS,
    CHANGES_MAX,
    FUTURE_MAX_MS,
    Command,
    Item,
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
        "answered_s",
        "command",
        "digest",
        "fingerprint",
        "payload",
        "policy",
        "round_digest",
        "script",
        "sent_s",
        "shard",
        "since_s",
    )

    def __init__(self, command: Command, policy: Policy, shard: int, since_s: float = 0.0) -> None:
        self.since_s = since_s  # by the monotonic clock, as are these two of its last attempt; 0: not yet
        self.sent_s = 0.0  # when its script was sent
        self.answered_s = 0.0  # when Redis had answered it
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
        return (*common, *_OWN_ARGS[command.kind](command, self.policy), *self._items(lookup))

    def _items(self, lookup: LedgerLookup | None) -> Iterable[Argument]:
        """With what SQL knows of each bet: "-" nothing, "" it was not asked."""
        item_args = _ITEM_ARGS.get(self.command.kind)
        if item_args is None:
            return ()
        items = self.command.items
        if lookup is None:
            return chain.from_iterable([item_args(item, "") for item in items])
        bets = lookup.bets
        return chain.from_iterable(
            item_args(item, bets[item.bet_index].text() if item.bet_index in bets else "-") for item in items
        )


def _amount_item(item: Item, cold: str) -> tuple[Argument, ...]:
    return AmountItem(item.bet_index, item.amount, cold)


def _result_item(item: Item, cold: str) -> tuple[Argument, ...]:
    return ResultItem(item.bet_index, item.amount, item.winloss, cold)


def _change_item(item: Item, cold: str) -> tuple[Argument, ...]:
    return ChangeItem(item.bet_index, item.amount, item.winloss, item.winloss_before, cold)


# Tables and not `match`: Python 3.11 takes 0.1 µs to find a member of an enum by its name.

_ITEM_ARGS: Final[Mapping[Kind, Callable[[Item, str], tuple[Argument, ...]]]] = {
    Kind.BET: _amount_item,
    Kind.CANCEL: _amount_item,
    Kind.RESULT: _result_item,
    Kind.CHANGE: _change_item,
}


def _bet_args(_: Command, policy: Policy) -> tuple[Argument, ...]:
    required = int(policy.session_required)
    return BetArgs(required, policy.session_ms, policy.session_grace_ms, policy.bet_age_max_ms)


_OWN_ARGS: Final[Mapping[Kind, Callable[[Command, Policy], tuple[Argument, ...]]]] = {
    Kind.LOGIN: lambda _, __: LoginArgs(FUTURE_MAX_MS),
    Kind.LOGOUT: lambda _, __: (),
    Kind.BET: _bet_args,
    Kind.CANCEL: lambda _, policy: CancelArgs(policy.cancel_unknown),
    Kind.RESULT: lambda _, __: (),
    Kind.CHANGE: lambda _, policy: ChangeArgs(policy.change_overdraw, CHANGES_MAX, CHANGE_TOLERANCE_MS),
    Kind.CREATE: lambda _, __: (),
    Kind.DEPOSIT: lambda command, _: TransferArgs("deposit", command.amount),
    Kind.WITHDRAW: lambda command, _: TransferArgs("withdraw", command.amount),
    Kind.STATUS: lambda command, _: StatusArgs(command.status),
}
"""A script's arguments between those of every event and its items."""
