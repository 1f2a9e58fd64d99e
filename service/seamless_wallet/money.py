"""Amounts: integer numbers of minor units, converted exactly at the edges. No float anywhere.

The scale is a property of the service's currency table (2 unless configured, KRW and JPY too): the number of
decimal digits between major units, which providers and people write, and minor units, which everything inside
counts.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

from seamless_wallet.errors import WalletError

AMOUNT_MAX: Final = 2**53 - 1
"""Largest absolute amount in minor units: the largest integer that Lua's doubles count exactly."""

SCALE_MAX: Final = 8
"""Most decimal digits a currency may have."""

_ADJUSTED_MAX: Final = len(str(AMOUNT_MAX)) - 1  # of the decimal exponent of a number's first digit
_PLAIN: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_TEXT_MAX: Final = 40  # characters; the longest amount needs 17
_UNITS: Final[tuple[int, ...]] = tuple(10**scale for scale in range(SCALE_MAX + 1))
_QUANTA: Final = tuple(Decimal(1).scaleb(-scale) for scale in range(SCALE_MAX + 1))
_EXACT: Final = Context(prec=_ADJUSTED_MAX + SCALE_MAX + 2, traps=[Inexact, InvalidOperation])


class AmountError(WalletError, ValueError):
    """A number that cannot be an amount: not finite, finer than the currency's scale, over `AMOUNT_MAX`."""


def to_minor(value: Decimal | int, scale: int) -> int:
    """Minor units of a number of major units.

    The exponent is looked at before the digits: `1e999999` costs nothing here and 30 s in `int()`.
    Trailing zeros are no finer than none (`1.500` fits two digits), and -0 is 0. Raises `AmountError`.
    """
    if type(value) is int:
        minor = value * _UNITS[scale]
    elif type(value) is Decimal:
        minor = _decimal_to_minor(value, scale)
    else:
        raise AmountError("not a number")
    if -AMOUNT_MAX <= minor <= AMOUNT_MAX:
        return minor
    raise AmountError("over the cap")


def _decimal_to_minor(value: Decimal, scale: int) -> int:
    if not value.is_finite():
        raise AmountError("not finite")
    if not value:
        return 0
    if value.adjusted() > _ADJUSTED_MAX:
        raise AmountError("over the cap")
    try:
        exact = value.quantize(_QUANTA[scale], context=_EXACT)
    except (Inexact, InvalidOperation):
        raise AmountError("finer than the currency's scale") from None
    return int(exact.scaleb(scale, context=_EXACT))


def parse_minor(text: str, scale: int) -> int:
    """Minor units of the admin API's strings, such as `"100.00"`: ASCII digits, at most one dot, no sign.

    Raises AmountError.
    """
    if len(text) > _TEXT_MAX or _PLAIN.fullmatch(text) is None:
        raise AmountError('not an amount: write digits, such as "100.00"')
    return to_minor(Decimal(text), scale)


def format_minor(minor: int, scale: int) -> str:
    """Major units with all the digits of the currency: `10000` at scale 2 is `"100.00"`."""
    if scale == 0:
        return str(minor)
    whole, fraction = divmod(abs(minor), _UNITS[scale])
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{scale}d}"


def json_number(minor: int, scale: int) -> str:
    """Major units as a JSON number without trailing zeros: `92500`, `104750.25`, `-0.5`."""
    whole, fraction = divmod(minor, _UNITS[scale])
    if fraction == 0:
        return str(whole)
    return format_minor(minor, scale).rstrip("0")
