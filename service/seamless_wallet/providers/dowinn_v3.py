"""Profile `dowinn-v3`: the JSON of DOWINN's seamless API, version 3, in both directions.

Every event has `transaction_id`, `event_type`, `timestamp`, `feedback_data` and `user_id`; bets, cancels,
results and changes of results have `data` with a batch of items. Fields beyond those are accepted and
ignored.
"""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, Raw

from seamless_wallet.commands import ID_CHARS_MAX, ITEMS_MAX, Command, Kind
from seamless_wallet.money import json_number
from seamless_wallet.providers.dowinn_v3_places import wrong_amount, wrong_batch, wrong_id
from seamless_wallet.providers.dowinn_v3_schema import (
    BetEvent,
    CancelEvent,
    ChangeEvent,
    LoginEvent,
    LogoutEvent,
    LooseFields,
    LooseIds,
    OtherChangeEvent,
    ResultEvent,
    WireEvent,
    WireReply,
    amount_of,
)
from seamless_wallet.providers.field_paths import json_problem, path_of, position_of, problem_of
from seamless_wallet.providers.profile import Echo, Ids, Incoming, Invalid, Reason, Reply
from seamless_wallet.providers.strict_json import exact, has_control, has_repeated_key

if TYPE_CHECKING:
    from seamless_wallet.commands import Answer, Item
    from seamless_wallet.providers.dowinn_v3_schema import WireData
    from seamless_wallet.providers.profile import Sender

SECONDS_MAX: Final = 10**11  # a timestamp over this is in milliseconds (as seconds it would be the year 5138)
TIMESTAMP_MS_MAX: Final = 253_402_300_799_999  # the end of the year 9999
ECHO_INT_MAX: Final = 2**63 - 1

_PARTS: Final = (attrgetter("amount"), attrgetter("winloss"), attrgetter("winloss_before"))

_EVENTS: Final = (LoginEvent, LogoutEvent, BetEvent, CancelEvent, ResultEvent, ChangeEvent, OtherChangeEvent)
_NAMES: Final[dict[type[WireEvent], str]] = {event: str(event.__struct_config__.tag) for event in _EVENTS}
_NAMES_OF_KINDS: Final = MappingProxyType(
    {
        kind: tuple(_NAMES[event] for event in _EVENTS if event.kind is kind)
        for kind in {event.kind for event in _EVENTS}
    }
)

_decode_event: Final = msgspec.json.Decoder(
    LoginEvent | LogoutEvent | BetEvent | CancelEvent | ResultEvent | ChangeEvent | OtherChangeEvent, float_hook=exact
).decode
_decode_loose: Final = msgspec.json.Decoder(LooseFields, float_hook=exact).decode
_decode_ids: Final = msgspec.json.Decoder(LooseIds).decode
_decode_reply: Final = msgspec.json.Decoder(WireReply, float_hook=exact).decode
_encode: Final = msgspec.json.Encoder().encode


class DowinnV3:
    """The profile. Stateless: one instance serves every provider that speaks it."""

    name: Final = "dowinn-v3"
    event_names: Final = _NAMES_OF_KINDS
    event_types: Final = frozenset(_NAMES.values())

    def decode(self, text: bytes, sender: Sender, received_ms: int) -> Incoming:
        """Strictly read one decrypted request. Raises `Invalid`, with as much of an echo as could be read.

        ECB has no MAC and its blocks can be rearranged: so every type, identity and total is checked.
        """
        try:
            text.decode()  # msgspec does not look into strings that it skips
            event = _decode_event(text)
            command = _command(text, event, sender, received_ms)
        except Invalid as invalid:
            raise Invalid(invalid.reason, _loose_echo(text), invalid.place, _loose_ids(text), invalid.problem) from None
        except msgspec.ValidationError as error:
            echo = _loose_echo(text)
            known = echo.event_type is None or echo.event_type in self.event_types
            reason = Reason.SCHEMA if known else Reason.EVENT_TYPE
            problem = problem_of(error) if known else "is no event that we know"
            raise Invalid(reason, echo, path_of(error), _loose_ids(text), problem) from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Invalid(Reason.JSON, _loose_echo(text), position_of(error), problem=json_problem(error)) from None
        return Incoming(command, Echo(_NAMES[type(event)], event.timestamp, event.user_id))

    def encode_reply(self, echo: Echo, answer: Answer, scale: int | None) -> bytes:
        """The reply's text: compact, the balance a JSON number in major units, left out when unknown."""
        balance = None
        if answer.balance is not None and scale is not None:
            balance = Raw(json_number(answer.balance, scale).encode())
        return _encode(WireReply(answer.code, echo.event_type, echo.timestamp, echo.user_id, balance))

    def encode_event(self, command: Command, scale: int, event_type: str | None = None) -> bytes:
        """The provider's side: the text of a request, fields in the order of the guide's samples.

        A time of whole seconds is sent in seconds, as the guide says; any other in milliseconds.
        """
        seconds, rest_ms = divmod(command.timestamp_ms, 1000)
        fields: dict[str, object] = {
            "transaction_id": command.transaction_id,
            "event_type": event_type or _NAMES_OF_KINDS[command.kind][0],
            "timestamp": command.timestamp_ms if rest_ms else seconds,
        }
        if "feedback_data" in command.context:
            fields["feedback_data"] = command.context["feedback_data"]
        fields["user_id"] = command.user_id
        if command.kind not in {Kind.LOGIN, Kind.LOGOUT}:
            fields["data"] = _data_fields(command, scale)
        return _encode(fields)

    def decode_reply(self, text: bytes) -> Reply:
        """The provider's side: read a reply. Raises `ValueError` if it is none."""
        try:
            wire = _decode_reply(text)
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise ValueError(f"not a reply: {problem}") from None
        balance = wire.latest_balance
        if type(balance) is int:
            balance = Decimal(balance)
        if balance is not None and type(balance) is not Decimal:
            raise ValueError("not a reply: latest_balance is not a number")
        return Reply(wire.code, wire.event_type, wire.timestamp, wire.user_id, balance)


def _command(text: bytes, event: WireEvent, sender: Sender, received_ms: int) -> Command:
    """The command in an event. Raises `Invalid`, or as `has_repeated_key` does."""
    context: dict[str, str] = {}
    ids = [event.transaction_id, event.user_id]
    keys = len(event.__struct_fields__) + 1  # with event_type
    if isinstance(event.feedback_data, str):
        context["feedback_data"] = event.feedback_data
    elif event.feedback_data is UNSET:
        keys -= 1
    data: WireData | None = getattr(event, "data", None)
    if data is not None:
        batch = data.batch()
        keys += len(data.__struct_fields__) + len(batch) * len(data.item_type.__struct_fields__)
        for name in data.context_names:
            value = getattr(data, name)
            if value is UNSET:
                keys -= 1
            else:
                context[name] = value
        ids += [data.game_no, data.currency]
        for each in batch:
            ids += [each.bet_index, each.bet_type]
    joined = "".join(ids)
    if not all(ids) or max(map(len, ids)) > ID_CHARS_MAX or has_control(joined):
        raise wrong_id(event, data)
    if has_repeated_key(text, keys, joined + "".join(context.values())):
        raise Invalid(Reason.DUPLICATE_KEY, problem="has a key twice")
    return Command(
        kind=event.kind,
        provider=sender.name,
        user_id=event.user_id,
        transaction_id=event.transaction_id,
        timestamp_ms=_milliseconds(event.timestamp),
        received_ms=received_ms,
        currency="" if data is None else data.currency,
        game_no="" if data is None else data.game_no,
        items=() if data is None else _items(data, sender),
        context=context,
    )


def _items(data: WireData, sender: Sender) -> tuple[Item, ...]:
    """The batch in minor units. The guide's totals are the sums of the items, so any other is refused."""
    batch = data.batch()
    if not 0 < len(batch) <= ITEMS_MAX or len({each.bet_index for each in batch}) != len(batch):
        raise wrong_batch(data)
    scale = sender.currencies.get(data.currency)
    if scale is None:
        raise Invalid(Reason.CURRENCY, place="data.currency", problem="is none that this provider may send")
    items: list[Item] = []
    try:
        items.extend([each.item(scale) for each in batch])
    except Invalid:
        raise wrong_amount(data, scale) from None
    for name, part in zip(data.total_names, _PARTS, strict=False):
        if amount_of(getattr(data, name), scale, f"data.{name}") != sum(map(part, items)):
            raise Invalid(Reason.TOTAL, place=f"data.{name}", problem="is not the sum of its items")
    return tuple(items)


def _milliseconds(timestamp: int) -> int:
    """The guide says epoch seconds; milliseconds are seen too, and told apart by their size."""
    timestamp_ms = timestamp if timestamp > SECONDS_MAX else timestamp * 1000
    if not 0 <= timestamp_ms <= TIMESTAMP_MS_MAX:
        raise Invalid(Reason.TIMESTAMP, place="timestamp", problem="is negative, or after the year 9999")
    return timestamp_ms


def _loose_echo(text: bytes) -> Echo:
    """Whichever fields of the echo can be read. Nothing when it is no JSON object."""
    try:
        text.decode()
        loose = _decode_loose(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Echo()
    stamp = loose.timestamp
    return Echo(
        loose.event_type if isinstance(loose.event_type, str) else None,
        stamp if type(stamp) is int and -ECHO_INT_MAX <= stamp <= ECHO_INT_MAX else None,
        loose.user_id if isinstance(loose.user_id, str) else None,
    )


def _loose_ids(text: bytes) -> Ids:
    """Whichever ids can be read."""
    try:
        loose = _decode_ids(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Ids()
    game_no = loose.data.get("game_no") if isinstance(loose.data, dict) else None
    return Ids(*(value if isinstance(value, str) else "" for value in (loose.transaction_id, game_no)))


def _data_fields(command: Command, scale: int) -> dict[str, object]:
    """The `data` of an event, as the guide orders it."""

    def number(minor: int) -> Raw:
        return Raw(json_number(minor, scale).encode())

    def named(*names: str) -> dict[str, object]:
        return {name: command.context[name] for name in names if name in command.context}

    items = command.items
    cancel, change = command.kind is Kind.CANCEL, command.kind is Kind.CHANGE
    stakes = number(sum(item.amount for item in items))
    batch: list[dict[str, object]] = [
        {"bet_index": item.bet_index, "bet_type": item.bet_type, "bet_amount": number(item.amount)} for item in items
    ]
    fields = {"currency": command.currency, **named("game_type", "table_no"), "game_no": command.game_no}
    if command.kind in {Kind.BET, Kind.CANCEL}:
        fields["total_bet_cancel_amount" if cancel else "total_bet_amount"] = stakes
        fields["bet_cancels" if cancel else "bets"] = batch
        return fields
    fields |= {"total_bet_amount": stakes, "total_winloss": number(sum(item.winloss for item in items))}
    if change:
        fields["total_winloss_before"] = number(sum(item.winloss_before for item in items))
    fields |= named("result", "result_before", "result_detail", "result_detail_before")
    for entry, item in zip(batch, items, strict=True):
        entry["winloss"] = number(item.winloss)
        if change:
            entry["winloss_before"] = number(item.winloss_before)
    return fields | {"bet_results": batch}
