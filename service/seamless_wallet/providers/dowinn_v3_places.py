"""Where an event of `dowinn-v3` is wrong in a way that its types do not show. Only wrong events come here.

A place is a path of fields, such as `data.bets[3].bet_amount`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seamless_wallet.commands import ID_CHARS_MAX, ITEMS_MAX
from seamless_wallet.providers.profile import Invalid, Reason
from seamless_wallet.providers.strict_json import has_control

if TYPE_CHECKING:
    from seamless_wallet.providers.dowinn_v3_schema import WireData, WireEvent


def wrong_amount(data: WireData, scale: int) -> Invalid:
    """The fault of the first item that has one, with its place. Raises ValueError if no item has."""
    for number, each in enumerate(data.batch()):
        try:
            each.item(scale)
        except Invalid as invalid:
            place = f"data.{data.batch_name}[{number}].{invalid.place}"
            return Invalid(invalid.reason, place=place, problem=invalid.problem)
    raise ValueError("no item is wrong")


def wrong_batch(data: WireData) -> Invalid:
    """The fault of a batch that is empty, too long or has a bet twice."""
    problem = "has a bet_index twice"
    if not data.batch():
        problem = "is empty"
    elif len(data.batch()) > ITEMS_MAX:
        problem = f"has more than {ITEMS_MAX} items"
    return Invalid(Reason.ITEMS, place=f"data.{data.batch_name}", problem=problem)


def wrong_id(event: WireEvent, data: WireData | None) -> Invalid:
    """The fault of the first id that is empty, too long or has control characters. Raises ValueError if none is."""
    ids = {"transaction_id": event.transaction_id, "user_id": event.user_id}
    if data is not None:
        ids |= {"data.game_no": data.game_no, "data.currency": data.currency}
        for number, each in enumerate(data.batch()):
            item = f"data.{data.batch_name}[{number}]"
            ids |= {f"{item}.bet_index": each.bet_index, f"{item}.bet_type": each.bet_type}
    for place, text in ids.items():
        if not text:
            return Invalid(Reason.ID, place=place, problem="is empty")
        if len(text) > ID_CHARS_MAX:
            return Invalid(Reason.ID, place=place, problem=f"has more than {ID_CHARS_MAX} characters")
        if has_control(text):
            return Invalid(Reason.ID, place=place, problem="has control characters")
    raise ValueError("no id is wrong")
