"""What a provider's settings offer to choose from. Settings, command line and `providers` take each word from here."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

PROVIDER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""A provider's name in the settings, in the URL of its webhook and in the ledger. Match all of the text."""

API_ID_CHARS_MAX: Final = 128
"""Characters of an Api-Id; at least one."""


class ReplyBody(StrEnum):
    """How the sealed reply is wrapped. The provider's guide does not say, so it is a setting."""

    BARE = "bare"  # base64, text/plain
    JSON_STRING = "json-string"  # the same in double quotes, application/json


class AcceptRule(StrEnum):
    """Which events are taken (SEMANTICS row 83)."""

    ALL = "all"
    SETTLEMENTS = "settlements"  # no login, no bet: what is open is played to its end


class SessionRule(StrEnum):
    """Whether a bet needs an open session (SEMANTICS row 33)."""

    REQUIRED = "required"
    OFF = "off"


class CancelUnknownRule(StrEnum):
    """What becomes of the cancel of a bet that was never seen (SEMANTICS row 43)."""

    TOMBSTONE = "tombstone"
    R3 = "r3"


class ChangeOverdrawRule(StrEnum):
    """What becomes of a result change that takes more than the balance (SEMANTICS row 66)."""

    DEBT = "debt"
    REJECT = "reject"
