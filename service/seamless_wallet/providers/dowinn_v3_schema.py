"""The shape of what `dowinn-v3` puts on the wire, as msgspec structs; what it means is in `dowinn_v3`.

Amounts are `Any`, because a Decimal field would take strings ("5000", "NaN", " 5 ") as well: integers arrive
as int, other numbers as Decimal (through `strict_json.exact`), and `amount_of` refuses the rest.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.money import AmountError, to_minor
from seamless_wallet.providers.profile import Invalid, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence


def amount_of(value: object, scale: int, field: str) -> int:
    """Minor units of a decoded JSON value. Raises `Invalid`, which names the field, if it is no amount."""
    if type(value) is int or type(value) is Decimal:
        try:
            return to_minor(value, scale)
        except AmountError as error:
            raise Invalid(Reason.AMOUNT, place=field, problem=f"is {error}") from None
    raise Invalid(Reason.SCHEMA, place=field, problem="is no JSON number")


def stake_of(value: object, scale: int) -> int:
    """As `amount_of`, but refuses negative ones. Raises Invalid."""
    minor = amount_of(value, scale, "bet_amount")
    if minor < 0:
        raise Invalid(Reason.AMOUNT, place="bet_amount", problem="is negative")
    return minor


class WireStake(msgspec.Struct):
    """A bet that is placed or cancelled. `bet_index` is a string in all of the guide's samples."""

    bet_index: str
    bet_type: str
    bet_amount: Any

    def item(self, scale: int) -> Item:
        """In minor units. Raises `Invalid`, which names the field of this item."""
        return Item(self.bet_index, self.bet_type, stake_of(self.bet_amount, scale))


class WireResult(WireStake):
    """A settled bet. The guide's `winloss` is net of the stake: a loss is minus the stake, a push 0."""

    winloss: Any

    def item(self, scale: int) -> Item:
        """In minor units. Raises `Invalid`, which names the field of this item."""
        stake = stake_of(self.bet_amount, scale)
        return Item(self.bet_index, self.bet_type, stake, amount_of(self.winloss, scale, "winloss"))


class WireChange(WireResult):
    """A settled bet that gets another result."""

    winloss_before: Any

    def item(self, scale: int) -> Item:
        """In minor units. Raises `Invalid`, which names the field of this item."""
        stake = stake_of(self.bet_amount, scale)
        winloss = amount_of(self.winloss, scale, "winloss")
        before = amount_of(self.winloss_before, scale, "winloss_before")
        return Item(self.bet_index, self.bet_type, stake, winloss, before)


class WireData(msgspec.Struct, kw_only=True):
    """What all batches have. `game_no` is the round: no earlier transaction id is ever named."""

    item_type: ClassVar[type[WireStake]] = WireStake
    context_names: ClassVar[tuple[str, ...]] = ("game_type", "table_no")
    batch_name: ClassVar[str]
    """The field of the items, which every event calls otherwise."""
    total_names: ClassVar[tuple[str, ...]]
    """The fields of the totals, in the order of an item's amounts: stake, winloss, winloss before."""

    currency: str
    game_type: str
    table_no: str
    game_no: str

    def batch(self) -> Sequence[WireStake]:
        """The items."""
        items: Sequence[WireStake] = getattr(self, self.batch_name)
        return items


class BetData(WireData):
    """Bets to place."""

    batch_name: ClassVar[str] = "bets"
    total_names: ClassVar[tuple[str, ...]] = ("total_bet_amount",)

    total_bet_amount: Any
    bets: list[WireStake]


class CancelData(WireData):
    """Bets to take back."""

    batch_name: ClassVar[str] = "bet_cancels"
    total_names: ClassVar[tuple[str, ...]] = ("total_bet_cancel_amount",)

    total_bet_cancel_amount: Any
    bet_cancels: list[WireStake]


class ResultData(WireData):
    """`result_detail` is a JSON text in a string; it is kept as it is."""

    item_type: ClassVar[type[WireStake]] = WireResult
    batch_name: ClassVar[str] = "bet_results"
    total_names: ClassVar[tuple[str, ...]] = ("total_bet_amount", "total_winloss")
    context_names: ClassVar[tuple[str, ...]] = ("game_type", "table_no", "result", "result_detail")

    total_bet_amount: Any
    total_winloss: Any
    result: str
    result_detail: str
    bet_results: list[WireResult]


class ChangeData(WireData, kw_only=True):
    """The page about it is not public: so what moves money is required, and what only describes it is not."""

    item_type: ClassVar[type[WireStake]] = WireChange
    batch_name: ClassVar[str] = "bet_results"
    total_names: ClassVar[tuple[str, ...]] = ("total_bet_amount", "total_winloss", "total_winloss_before")
    context_names: ClassVar[tuple[str, ...]] = (
        *ResultData.context_names,
        "result_before",
        "result_detail_before",
    )

    total_bet_amount: Any
    total_winloss: Any
    total_winloss_before: Any
    result: str | UnsetType = UNSET
    result_before: str | UnsetType = UNSET
    result_detail: str | UnsetType = UNSET
    result_detail_before: str | UnsetType = UNSET
    bet_results: list[WireChange]


class WireEvent(msgspec.Struct, tag_field="event_type", kw_only=True):
    """What all events have. `feedback_data` is opaque, and an event without it, or with null, is accepted."""

    kind: ClassVar[Kind]

    transaction_id: str
    timestamp: int
    user_id: str
    feedback_data: str | UnsetType | None = UNSET


class LoginEvent(WireEvent, tag="login"):
    """A player enters. Carries no currency."""

    kind: ClassVar[Kind] = Kind.LOGIN


class LogoutEvent(WireEvent, tag="logout"):
    """A player leaves."""

    kind: ClassVar[Kind] = Kind.LOGOUT


class BetEvent(WireEvent, tag="bet"):
    """Stakes to debit."""

    kind: ClassVar[Kind] = Kind.BET
    data: BetData


class CancelEvent(WireEvent, tag="bet_cancel"):
    """Stakes to refund."""

    kind: ClassVar[Kind] = Kind.CANCEL
    data: CancelData


class ResultEvent(WireEvent, tag="bet_result"):
    """Bets to settle."""

    kind: ClassVar[Kind] = Kind.RESULT
    data: ResultData


class ChangeEvent(WireEvent, tag="bet_result_change"):
    """The page about it is not public, and two names of it are seen: this one and the next."""

    kind: ClassVar[Kind] = Kind.CHANGE
    data: ChangeData


class OtherChangeEvent(ChangeEvent, tag="result_change"):
    """The same by its other name."""


class LooseFields(msgspec.Struct):
    """What may be repeated of a request that is wrong elsewhere."""

    event_type: Any = None
    timestamp: Any = None
    user_id: Any = None


class LooseIds(msgspec.Struct):
    """What tells which event and round a wrong request is about."""

    transaction_id: Any = None
    data: Any = None


class WireReply(msgspec.Struct, omit_defaults=True):
    """The reply. The guide requires `latest_balance` with R0 only."""

    code: Code
    event_type: str | None = None
    timestamp: int | None = None
    user_id: str | None = None
    latest_balance: Any = None
