"""Which wallet a command plays against: what its command line says, and the settings for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from seamless_wallet.cli.endpoints import admin_address, client_tls, service_url
from seamless_wallet.cli.target_options import TargetOptions
from seamless_wallet.clients.target import OperatorChoices, Target, TargetError
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.providers import ProviderError, build_provider
from seamless_wallet.settings import Settings
from seamless_wallet.settings.secret_files import read_secret

if TYPE_CHECKING:
    from pathlib import Path

    from seamless_wallet.providers import Provider

CURRENCY: Final = "KRW"
SCALE: Final = 2
NAME: Final = "tested"
"""What a provider is called that only the command line describes."""

CREDENTIALS: Final = "--api-id and --api-key-file"

_OPTIONS: Final = {"name": "provider", "api_key": "api-key-file", "currencies": "scale"}
"""Settings of a provider that are options of another name."""


def target_of(options: TargetOptions, **limits: float | None) -> Target:
    """The wallet that is meant. `limits` are `grace_s` and `body_bytes_max`; None: as in the settings.

    Raises TargetError, and SettingsError if settings that are needed are wrong.
    """
    if options.hook and (options.admin_url or options.admin_token_file):
        raise TargetError("pass either --hook or --admin-url, not both")
    choices = {**options.given_choices, **{name: limit for name, limit in limits.items() if limit is not None}}
    if options.api_id or options.api_key_file:
        return _described(options, choices)
    return _of_settings(load_checked_settings(), options, choices)


def _described(options: TargetOptions, choices: dict[str, Any]) -> Target:
    """A wallet that the command line describes. The settings are not read."""
    if not (options.api_id and options.api_key_file):
        raise TargetError(f"pass both {CREDENTIALS}, or neither to use a provider of the settings")
    if not options.url:
        raise TargetError("--api-id belongs to a wallet that the settings do not know; pass its URL as well")
    provider = _described_provider(options, options.api_key_file)
    return Target(
        provider=provider,
        url=options.url,
        currency=options.currency or next(iter(provider.currencies)),
        given_players=tuple(options.player or ()),
        admin=_described_admin(options),
        hook=options.hook,
        choices=OperatorChoices(**choices),
        timeout_s=options.timeout_s,
        tls=client_tls(options.ca_file, options.client_cert_file, None),
    )


def _described_provider(options: TargetOptions, key_file: Path) -> Provider:
    given = options.given_format
    from seamless_wallet.processes.system_ports import SystemRandomness

    scale = given.pop("scale", SCALE)
    try:
        return build_provider(
            name=options.provider or NAME,
            api_id=options.api_id,
            api_key=read_secret(key_file, "--api-key-file").strip(),
            currencies={options.currency or CURRENCY: scale},
            random_bytes=SystemRandomness().random_bytes,
            **given,
        )
    except ProviderError as error:
        option = _OPTIONS.get(error.setting, error.setting.replace("_", "-"))
        raise TargetError(f"--{option}: {error.problem}") from None
    except SettingsError as error:
        raise TargetError(str(error)) from None


def _described_admin(options: TargetOptions) -> tuple[str, str] | None:
    if not (options.admin_url or options.admin_token_file):
        return None
    if not (options.admin_url and options.admin_token_file):
        raise TargetError("pass both --admin-url and --admin-token-file, or --hook for a back office of another kind")
    try:
        return admin_address(options.admin_url, options.admin_token_file)
    except SettingsError as error:
        raise TargetError(str(error)) from None


def _of_settings(settings: Settings, options: TargetOptions, choices: dict[str, Any]) -> Target:
    """A wallet with a provider of the settings: our own service, unless the command line has another URL."""
    provider = _provider_of(settings, options)
    return Target(
        provider=provider,
        url=_url(settings, options.url, provider.name),
        currency=options.currency or next(iter(provider.currencies)),
        given_players=tuple(options.player or ()),
        admin=_admin(settings, options),
        hook=options.hook,
        choices=OperatorChoices(**{**_choices(settings, provider.name), **choices}),
        timeout_s=options.timeout_s,
        decline_memory_s=settings.hot_window_s,
        tls=client_tls(
            options.ca_file, options.client_cert_file, None if options.url or options.admin_url else settings
        ),
    )


def _provider_of(settings: Settings, options: TargetOptions) -> Provider:
    """The provider of that name, or the only one if none is named. Raises TargetError."""
    from seamless_wallet.processes.provider_accounts import build_providers

    for option in options.given_format:
        raise TargetError(
            f"--{option.replace('_', '-')} cannot change a provider of the settings; pass {CREDENTIALS} as well"
        )
    providers = build_providers(settings)
    if not providers:
        where = "" if options.url else "the URL of a webhook, "
        raise TargetError(
            f"pass {where}{CREDENTIALS}, or add [providers.<name>] to the settings, which have no provider"
        )
    known = ", ".join(providers)
    if options.provider and options.provider not in providers:
        raise TargetError(f"--provider: the settings have no {options.provider!r}; choose one of: {known}")
    if not options.provider and len(providers) > 1:
        raise TargetError(f"--provider: choose one of: {known}")
    return providers[options.provider or known]


def _url(settings: Settings, url: str, name: str) -> str:
    """The webhook of our own service; a given URL as it is, with the provider's path if it has none."""
    base = url or service_url(settings.webhook_host, settings.webhook_port, "URL", settings.scheme)
    return base if _has_path(base) else f"{base.rstrip('/')}/webhook/{name}"


def _has_path(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return not parts.netloc or bool(parts.path.strip("/"))


def _admin(settings: Settings, options: TargetOptions) -> tuple[str, str] | None:
    """URL and token of the back office: as given, or that of our own service, which given players can do without."""
    if options.admin_url or options.admin_token_file:
        return admin_address(options.admin_url, options.admin_token_file)
    if options.hook or options.url:
        return None
    has_token = settings.admin_token is not None or settings.admin_token_path.exists()
    return None if options.player and not has_token else admin_address("", None)


def _choices(settings: Settings, name: str) -> dict[str, Any]:
    """The rows marked (cfg), as in the settings."""
    given = settings.providers[name]
    return {
        "session": given.session,
        "cancel_unknown": given.cancel_unknown,
        "change_overdraw": given.change_overdraw,
        "bet_age_max_s": given.bet_age_max_s or 0,
        "grace_s": settings.session_grace_ms / 1000,
        "body_bytes_max": settings.body_bytes_max,
    }
