"""What follows an attempt: an answer, or one of two ways to go on."""

from __future__ import annotations

from typing import NamedTuple

from seamless_wallet.commands import Answer


class TryAgain(NamedTuple):
    """The attempt left nothing. Again, as it is."""


class LookUpFirst(NamedTuple):
    """The attempt left nothing. Again, with what SQL knows once it has reached `seq` of `epoch`."""

    epoch: int = 0
    seq: int = 0


NextStep = Answer | TryAgain | LookUpFirst
"""Match all three, and end with `assert_never`."""
