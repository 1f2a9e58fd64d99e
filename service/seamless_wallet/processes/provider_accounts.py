"""The providers of the settings, ready for use.

Imports neither HTTP nor Redis, so that a command line may check the settings at little cost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from seamless_wallet.commands import Policy
from seamless_wallet.errors import SettingsError
from seamless_wallet.processes.system_ports import SystemRandomness
from seamless_wallet.provider_choices import SessionRule
from seamless_wallet.providers import Provider, ProviderError, build_provider
from seamless_wallet.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seamless_wallet.ports import Randomness
    from seamless_wallet.settings import ProviderSettings, Settings


def load_checked_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings, and refuse those of which no provider can be made. Every command reads them by this function.

    `load_settings` alone knows neither the wire formats nor what fits into a header. Raises SettingsError.
    """
    settings = load_settings(environ)
    build_providers(settings)
    return settings


def build_providers(settings: Settings, randomness: Randomness | None = None) -> dict[str, Provider]:
    """The configured providers by name. Without `randomness` they get that of the machine. Raises SettingsError."""
    randomness = randomness or SystemRandomness()
    return {name: _provider(name, given, settings, randomness) for name, given in settings.providers.items()}


def _provider(name: str, given: ProviderSettings, settings: Settings, randomness: Randomness) -> Provider:
    scales = settings.currencies
    policy = Policy(
        session_required=given.session is SessionRule.REQUIRED,
        session_ms=settings.session_s * 1000,
        session_grace_ms=settings.session_grace_ms,
        cancel_unknown=given.cancel_unknown,
        change_overdraw=given.change_overdraw,
        bet_age_max_ms=(given.bet_age_max_s or 0) * 1000,
    )
    previous = given.previous_api_key
    try:
        return build_provider(
            name=name,
            api_id=given.api_id,
            api_key=given.api_key.get_secret_value(),
            previous_api_key=previous.get_secret_value() if previous else "",
            currencies={currency: scales[currency] for currency in given.currencies or scales},
            random_bytes=randomness.random_bytes,
            scales=scales,
            profile=given.profile,
            cipher=given.cipher,
            key_encoding=given.key_encoding,
            reply_body=given.reply_body,
            policy=policy,
            allow=given.allow,
            accept=given.accept,
        )
    except ProviderError as error:
        origin = f" in {settings.config}" if settings.config else ""
        raise SettingsError(f"providers.{name}.{error.setting}{origin}: {error.problem}") from None
