"""Which wallet `wallet conformance` tries: what its command line says, and the settings for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seamless_wallet.cli.endpoints import admin_address, provider_of, service_url
from seamless_wallet.conformance import ConformanceError, OperatorChoices, Target
from seamless_wallet.settings import Settings, SettingsError, load_settings
from seamless_wallet.settings.secret_files import read_secret

if TYPE_CHECKING:
    from seamless_wallet.providers import Provider

CURRENCY: Final = "KRW"
SCALE: Final = 2

_OPTIONS: Final = {"name": "provider", "api_key": "api-key-file", "currencies": "scale"}
"""Settings of a provider that are options of another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """Which webhook, and how to talk to it. Without an Api-Id and a key: a provider of the settings.

    `format` is how its requests are written; what is None there has its default.
    """

    url: str
    provider: str
    api_id: str
    api_key_file: Path | None
    currency: str
    scale: int | None
    format: dict[str, str | None]

    @property
    def given_format(self) -> dict[str, Any]:
        """What the command line says of how to talk to the webhook."""
        said = {**self.format, "scale": self.scale}
        return {option: value for option, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOfficeOptions:
    """Where players, their money and their blocks come from."""

    players: tuple[str, ...]
    hook: str
    admin_url: str
    admin_token_file: Path | None


def target_of(
    webhook: WebhookOptions,
    back_office: BackOfficeOptions,
    choices: dict[str, Any],
    *,
    timeout_s: float,
    concurrency: int,
) -> Target:
    """All that a run has to know. `choices` that are None are as in the settings.

    Raises ConformanceError or SettingsError.
    """
    settings = None if webhook.url and webhook.api_id and webhook.api_key_file else load_settings()
    provider = _provider(settings, webhook)
    return Target(
        provider=provider,
        url=_url(settings, webhook.url, provider.name),
        currency=webhook.currency or next(iter(provider.currencies)),
        given_players=back_office.players,
        admin=_admin(settings, webhook.url, back_office),
        hook=back_office.hook,
        choices=_choices(settings, provider.name, choices),
        timeout_s=timeout_s,
        concurrency=concurrency,
    )


def _provider(settings: Settings | None, webhook: WebhookOptions) -> Provider:
    """The provider of the settings, or one that the command line describes."""
    if settings is not None and not (webhook.api_id or webhook.api_key_file):
        for option in webhook.given_format:
            raise ConformanceError(
                f"--{option.replace('_', '-')} cannot change a provider of the settings;"
                " pass --api-id and --api-key-file as well"
            )
        return provider_of(settings, webhook.provider)
    if settings is not None and webhook.api_id and webhook.api_key_file:
        raise ConformanceError("--api-id belongs to a wallet that the settings do not know; pass its URL as well")
    if not (webhook.api_id and webhook.api_key_file):
        raise ConformanceError("pass both --api-id and --api-key-file, or neither to use a provider of the settings")
    return _described(webhook, webhook.api_key_file)


def _described(webhook: WebhookOptions, key_file: Path) -> Provider:
    from seamless_wallet.providers import ProviderError, configure

    given = webhook.given_format
    scale = given.pop("scale", SCALE)
    try:
        return configure(
            name=webhook.provider or "conformance",
            api_id=webhook.api_id,
            api_key=read_secret(key_file, "--api-key-file").strip(),
            currencies={webhook.currency or CURRENCY: scale},
            **given,
        )
    except ProviderError as error:
        option = _OPTIONS.get(error.setting, error.setting.replace("_", "-"))
        raise ConformanceError(f"--{option}: {error.problem}") from None
    except SettingsError as error:
        raise ConformanceError(str(error)) from None


def _url(settings: Settings | None, url: str, name: str) -> str:
    if url or settings is None:
        return url
    return f"{service_url(settings.webhook_host, settings.webhook_port, 'URL')}/webhook/{name}"


def _admin(settings: Settings | None, url: str, options: BackOfficeOptions) -> tuple[str, str] | None:
    """URL and token of the back office: as given, or that of our own service, which given players can do without."""
    if options.hook and (options.admin_url or options.admin_token_file):
        raise ConformanceError("pass either --hook or --admin-url, not both")
    if options.admin_url or options.admin_token_file:
        return admin_address(options.admin_url, options.admin_token_file)
    if options.hook or settings is None or url:
        return None
    return None if options.players and not settings.admin_token_path.exists() else admin_address("", None)


def _choices(settings: Settings | None, name: str, choices: dict[str, Any]) -> OperatorChoices:
    """The rows marked (cfg): as given, or as in the settings, or their defaults."""
    told = {option: choice for option, choice in choices.items() if choice is not None}
    if settings is None or name not in settings.providers:
        return OperatorChoices(**told)
    given = settings.providers[name]
    as_set = {
        "session": given.session,
        "cancel_unknown": given.cancel_unknown,
        "change_overdraw": given.change_overdraw,
        "grace_s": settings.session_grace_ms / 1000,
        "body_bytes_max": settings.body_bytes_max,
    }
    return OperatorChoices(**{**as_set, **told})
