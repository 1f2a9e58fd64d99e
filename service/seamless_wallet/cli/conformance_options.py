"""The options of `wallet conformance`, in the groups in which its help shows them."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from seamless_wallet.money import SCALE_MAX
from seamless_wallet.providers import DEFAULT_PROFILE, PROFILES


class SessionRule(StrEnum):
    """Row 33."""

    REQUIRED = "required"
    OFF = "off"


class CancelUnknownRule(StrEnum):
    """Row 43."""

    TOMBSTONE = "tombstone"
    R3 = "r3"


class ChangeOverdrawRule(StrEnum):
    """Row 66."""

    DEBT = "debt"
    REJECT = "reject"


_of_webhook = partial(typer.Option, rich_help_panel="Webhook", show_default=False)
_of_back_office = partial(typer.Option, rich_help_panel="Players and their money", show_default=False)
_of_choices = partial(typer.Option, rich_help_panel="How the wallet is configured", show_default=False)
_of_run = partial(typer.Option, rich_help_panel="Run")
_of_report = partial(typer.Option, rich_help_panel="Report")

PROFILE_HELP = f"Wire format: {', '.join(PROFILES)}. Default: from the settings, or {DEFAULT_PROFILE}."
HOOK_HELP = (
    "Command that does what a webhook cannot, in place of our admin API: "
    "CMD create|deposit|withdraw|block|unblock|balance USER [AMOUNT] [CURRENCY]."
)

Url = Annotated[
    str, typer.Argument(help="URL of the webhook. Default: the webhook of the settings.", show_default=False)
]
ApiId = Annotated[str, _of_webhook(help="Api-Id header. Default: from the settings.")]
ApiKeyFile = Annotated[Path | None, _of_webhook(help="File that holds the Api-Key. Default: from the settings.")]
ProviderName = Annotated[str, _of_webhook(help="Provider of the settings. Default: the only one.")]
Profile = Annotated[str | None, _of_webhook(help=PROFILE_HELP)]
Cipher = Annotated[
    str | None, _of_webhook(help="aes-256-ecb or aes-256-gcm. Default: from the settings, or aes-256-ecb.")
]
KeyEncoding = Annotated[
    str | None, _of_webhook(help="How the key is written: utf8, hex or base64. Default: from the settings, or utf8.")
]
ReplyBody = Annotated[
    str | None, _of_webhook(help="How bodies are wrapped: bare or json-string. Default: from the settings, or bare.")
]
Currency = Annotated[str, _of_webhook(help="Currency of the players. Default: the first of the settings, or KRW.")]
Scale = Annotated[
    int | None,
    _of_webhook(min=0, max=SCALE_MAX, help="Decimal digits of that currency. Default: from the settings, or 2."),
]

Players = Annotated[
    list[str] | None,
    _of_back_office("--player", help="Existing player to play with; pass it twice for two. Default: new players."),
]
AdminUrl = Annotated[str, _of_back_office(help="URL of the back office. Default: from the settings.")]
AdminTokenFile = Annotated[
    Path | None, _of_back_office(help="File that holds the back office's token. Default: from the settings.")
]
Hook = Annotated[str, _of_back_office(help=HOOK_HELP)]

SessionChoice = Annotated[
    SessionRule | None,
    _of_choices(help="Row 33: whether a bet needs a session. Default: from the settings, or required."),
]
CancelChoice = Annotated[
    CancelUnknownRule | None,
    _of_choices(help="Row 43: a cancel of an unknown bet. Default: from the settings, or tombstone."),
]
OverdrawChoice = Annotated[
    ChangeOverdrawRule | None,
    _of_choices(help="Row 66: a change that takes more than the balance. Default: from the settings, or debt."),
]
Grace = Annotated[
    float | None,
    _of_choices(
        min=0, help="Row 33: seconds after a logout in which bets are taken. Default: from the settings, or 10."
    ),
]
BodyBytesMax = Annotated[
    int | None, _of_choices(min=1024, help="Row 13: longest request body. Default: from the settings, or 4194304.")
]

Only = Annotated[list[str] | None, _of_run(help="Cases to play: a glob on names, or row:66. May be repeated.")]
ListCases = Annotated[bool, _of_run("--list", help="List the cases and play none.")]
PrintHook = Annotated[
    bool, _of_run("--print-hook", help="Print an example of a hook, to be written to a file and changed.")
]
Timeout = Annotated[float, _of_run(min=0.1, help="Seconds to wait for one answer.")]
Concurrency = Annotated[int, _of_run(min=1, max=64, help="Cases that play at the same time, if players are new.")]
Strict = Annotated[bool, _of_report("--strict", help="Count a skipped case as a failure.")]
Json = Annotated[bool, _of_report("--json", help="Print one JSON document.")]
Junit = Annotated[Path | None, _of_report(help="Write a JUnit XML file.", show_default=False)]
Verbose = Annotated[bool, _of_report("--verbose", "-v", help="Show every case.")]
