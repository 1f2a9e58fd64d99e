"""The options of `wallet conformance`, in the groups in which its help shows them."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer


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
_of_players = partial(typer.Option, rich_help_panel="Players and money", show_default=False)
_chosen = partial(typer.Option, rich_help_panel="What its operator chose", show_default=False)
_of_run = partial(typer.Option, rich_help_panel="Run")
_of_report = partial(typer.Option, rich_help_panel="Report")

HOOK_HELP = "CMD create|deposit|withdraw|block|unblock|balance USER [AMOUNT] [CURRENCY], for any other cash desk."

Url = Annotated[str, typer.Argument(help="The webhook. Default: that of the settings.", show_default=False)]
ApiId = Annotated[str, _of_webhook(help="Its Api-Id. Default: as in the settings.")]
ApiKeyFile = Annotated[Path | None, _of_webhook(help="File with its Api-Key. Default: as in the settings.")]
ProviderName = Annotated[str, _of_webhook(help="Which of the settings. Default: the only one.")]
Profile = Annotated[str | None, _of_webhook(help="Wire format. Default: dowinn-v3, or as in the settings.")]
Cipher = Annotated[str | None, _of_webhook(help="aes-256-ecb (the default) or aes-256-gcm.")]
KeyEncoding = Annotated[str | None, _of_webhook(help="How the key is spelt: utf8 (the default), hex or base64.")]
ReplyBody = Annotated[str | None, _of_webhook(help="bare (the default) or json-string: how requests are wrapped, too.")]
Currency = Annotated[str, _of_webhook(help="Of the players. Default: the first of the settings.")]
Scale = Annotated[int | None, _of_webhook(min=0, max=8, help="Its decimal digits. Default: 2, or as in the settings.")]

Players = Annotated[
    list[str] | None, _of_players("--player", help="An existing one; twice for two. Default: new ones.")
]
AdminUrl = Annotated[str, _of_players(help="Back office. Default: as in the settings.")]
AdminTokenFile = Annotated[Path | None, _of_players(help="File with its token. Default: as in the settings.")]
Hook = Annotated[str, _of_players(help=HOOK_HELP)]

SessionChoice = Annotated[SessionRule | None, _chosen(help="Row 33. Default: as in the settings, or required.")]
CancelChoice = Annotated[CancelUnknownRule | None, _chosen(help="Row 43. Default: as set, or tombstone.")]
OverdrawChoice = Annotated[ChangeOverdrawRule | None, _chosen(help="Row 66. Default: as set, or debt.")]
Grace = Annotated[float | None, _chosen(min=0, help="Row 33: bets after a logout. Default: as set, or 10.")]
BodyBytesMax = Annotated[int | None, _chosen(min=1024, help="Row 13. Default: as set, or 65536.")]

Only = Annotated[list[str] | None, _of_run(help="Cases to play: a glob on names, or row:66. May be repeated.")]
ListCases = Annotated[bool, _of_run("--list", help="Only list the cases.")]
Timeout = Annotated[float, _of_run(min=0.1, help="For one call.")]
Concurrency = Annotated[int, _of_run(min=1, max=64, help="Cases at the same time, with new players.")]
Strict = Annotated[bool, _of_report("--strict", help="A skipped case is a failure.")]
Json = Annotated[bool, _of_report("--json", help="Print one JSON document.")]
Junit = Annotated[Path | None, _of_report(help="Write JUnit XML.", show_default=False)]
Verbose = Annotated[bool, _of_report("--verbose", "-v", help="Show every case.")]
