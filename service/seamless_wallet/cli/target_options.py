"""The options that say which wallet to play against: those of `wallet conformance` are those of `wallet simulate`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from seamless_wallet.ciphers import CIPHERS, KEY_ENCODINGS
from seamless_wallet.money import SCALE_MAX
from seamless_wallet.provider_choices import CancelUnknownRule, ChangeOverdrawRule, ReplyBody, SessionRule
from seamless_wallet.providers import DEFAULT_PROFILE, PROFILES

_of_webhook = partial(typer.Option, rich_help_panel="Webhook", show_default=False)
_of_back_office = partial(typer.Option, rich_help_panel="Players and their money", show_default=False)
of_choices = partial(typer.Option, rich_help_panel="How the wallet is configured", show_default=False)

_HOOK_HELP = (
    "Command that does what a webhook cannot, in place of our admin API: "
    "CMD create|deposit|withdraw|block|unblock|balance USER [AMOUNT] [CURRENCY]. "
    "`wallet conformance --print-hook` prints an example."
)

Url = Annotated[
    str,
    typer.Argument(
        help="URL of the webhook. Default: the webhook of the settings. Without a path, that of a provider of the "
        "settings is added.",
        show_default=False,
    ),
]
ApiId = Annotated[str, _of_webhook(help="Api-Id header. Default: from the settings.")]
ApiKeyFile = Annotated[Path | None, _of_webhook(help="File that holds the Api-Key. Default: from the settings.")]
ProviderName = Annotated[str, _of_webhook(help="Provider of the settings. Default: the only one.")]
ProfileName = Annotated[
    str | None,
    _of_webhook(help=f"Wire format: {', '.join(PROFILES)}. Default: from the settings, or {DEFAULT_PROFILE}."),
]
CipherName = Annotated[
    str | None, _of_webhook(help=f"{' or '.join(CIPHERS)}. Default: from the settings, or aes-256-ecb.")
]
KeyEncoding = Annotated[
    str | None,
    _of_webhook(help=f"How the key is written: {', '.join(KEY_ENCODINGS)}. Default: from the settings, or utf8."),
]
Wrapping = Annotated[
    str | None,
    _of_webhook(help=f"How bodies are wrapped: {' or '.join(ReplyBody)}. Default: from the settings, or bare."),
]
Currency = Annotated[str, _of_webhook(help="Currency of the players. Default: the first of the settings, or KRW.")]
Scale = Annotated[
    int | None,
    _of_webhook(min=0, max=SCALE_MAX, help="Decimal digits of that currency. Default: from the settings, or 2."),
]
Timeout = Annotated[float, typer.Option(rich_help_panel="Webhook", min=0.1, help="Seconds to wait for one answer.")]

Players = Annotated[
    list[str] | None,
    _of_back_office("--player", help="Existing player to play with. May be repeated. Default: new players."),
]
AdminUrl = Annotated[str, _of_back_office(help="URL of our back office. Default: from the settings.")]
AdminTokenFile = Annotated[
    Path | None, _of_back_office(help="File that holds the back office's token. Default: from the settings.")
]
TrustedFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        rich_help_panel="Webhook",
        show_default=False,
        help="Certificates of the authorities that are trusted, in PEM. Default: those of the system, or the "
        "certificate of the settings.",
    ),
]
IdentityFile = Annotated[
    Path | None,
    typer.Option(
        "--client-cert-file",
        rich_help_panel="Webhook",
        show_default=False,
        help="Certificate and key of this client, in one file in PEM, if it needs one.",
    ),
]
Hook = Annotated[str, _of_back_office(help=_HOOK_HELP)]

SessionChoice = Annotated[
    SessionRule | None,
    of_choices(help="Row 33: whether a bet needs a session. Default: from the settings, or required."),
]
CancelChoice = Annotated[
    CancelUnknownRule | None,
    of_choices(help="Row 43: a cancel of an unknown bet. Default: from the settings, or tombstone."),
]
OverdrawChoice = Annotated[
    ChangeOverdrawRule | None,
    of_choices(help="Row 66: a change that takes more than the balance. Default: from the settings, or debt."),
]
BetAge = Annotated[
    int | None,
    of_choices(
        min=0, help="Row 35: how old a bet may be, in seconds; 0: of any age. Default: from the settings, or 0."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What a command line says of the wallet. What is None or empty is as in the settings, or has its default."""

    url: Url = ""
    api_id: ApiId = ""
    api_key_file: ApiKeyFile = None
    profile: ProfileName = None
    cipher: CipherName = None
    key_encoding: KeyEncoding = None
    reply_body: Wrapping = None
    provider: ProviderName = ""
    currency: Currency = ""
    scale: Scale = None
    timeout_s: Timeout = 10.0
    ca_file: TrustedFile = None
    client_cert_file: IdentityFile = None
    player: Players = None
    admin_url: AdminUrl = ""
    admin_token_file: AdminTokenFile = None
    hook: Hook = ""
    session: SessionChoice = None
    cancel_unknown: CancelChoice = None
    change_overdraw: OverdrawChoice = None
    bet_age_max_s: BetAge = None

    @property
    def given_format(self) -> dict[str, Any]:
        """What it says of how to talk to the webhook."""
        return self._given("profile", "cipher", "key_encoding", "reply_body", "scale")

    @property
    def given_choices(self) -> dict[str, Any]:
        """What it says of the rows marked (cfg)."""
        return self._given("session", "cancel_unknown", "change_overdraw", "bet_age_max_s")

    def _given(self, *names: str) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in names}
        return {name: value for name, value in said.items() if value is not None}
