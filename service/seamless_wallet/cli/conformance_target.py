"""Which wallet `wallet conformance` tries: what its command line says, and the settings for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seamless_wallet.cli.endpoints import admin_address, provider_of, service_url
from seamless_wallet.conformance import ConformanceError, Expected, Target
from seamless_wallet.settings import Settings, SettingsError, load_settings
from seamless_wallet.settings.secret_files import read_secret

if TYPE_CHECKING:
    from seamless_wallet.providers import Provider

CURRENCY = "KRW"
SCALE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose webhook. Without an Api-Id and a key, an account of the settings. What is None is as usual."""

    url: str
    provider: str
    api_id: str
    api_key_file: Path | None
    currency: str
    scale: int | None
    wire: dict[str, str | None]

    @property
    def described(self) -> dict[str, Any]:
        """What the command line says of how to talk to it."""
        said = {**self.wire, "scale": self.scale}
        return {option: value for option, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CashDesk:
    """Where players, money and blocks come from."""

    players: tuple[str, ...]
    hook: str
    admin_url: str
    admin_token_file: Path | None


def target_of(
    account: Account, desk: CashDesk, choices: dict[str, Any], *, timeout_s: float, concurrency: int
) -> Target:
    """All that a run has to know. `choices` that are None are as set. Raises ConformanceError or SettingsError."""
    settings = None if account.url and account.api_id and account.api_key_file else load_settings()
    provider = _provider(settings, account)
    return Target(
        provider=provider,
        url=_url(settings, account.url, provider.name),
        currency=account.currency or next(iter(provider.currencies)),
        players=desk.players,
        admin=_admin(settings, account.url, desk),
        hook=desk.hook,
        expected=_expected(settings, provider.name, choices),
        timeout_s=timeout_s,
        concurrency=concurrency,
    )


def _provider(settings: Settings | None, account: Account) -> Provider:
    """The account of the settings, or one that the command line describes."""
    if settings is not None and not (account.api_id or account.api_key_file):
        for option in account.described:
            raise ConformanceError(
                f"--{option.replace('_', '-')} is for an account that the settings do not describe:"
                " say --api-id and --api-key-file, too"
            )
        return provider_of(settings, account.provider)
    if settings is not None and account.api_id and account.api_key_file:
        raise ConformanceError("--api-id is of a wallet that the settings do not know: say its URL, too")
    if not (account.api_id and account.api_key_file):
        raise ConformanceError("say both --api-id and --api-key-file, or neither for the account of the settings")
    return _described(account, account.api_key_file)


def _described(account: Account, key_file: Path) -> Provider:
    from seamless_wallet.providers import configure

    wire = account.described
    scale = wire.pop("scale", SCALE)
    try:
        return configure(
            name=account.provider or "conformance",
            api_id=account.api_id,
            api_key=read_secret(key_file, "--api-key-file").strip(),
            currencies={account.currency or CURRENCY: scale},
            **wire,
        )
    except (ValueError, SettingsError) as error:
        raise ConformanceError(str(error)) from None


def _url(settings: Settings | None, url: str, name: str) -> str:
    if url or settings is None:
        return url
    return f"{service_url(settings.webhook_host, settings.webhook_port, 'URL')}/webhook/{name}"


def _admin(settings: Settings | None, url: str, desk: CashDesk) -> tuple[str, str] | None:
    """The back office: as it is said, or that of our own service, which given players can do without."""
    if desk.hook and (desk.admin_url or desk.admin_token_file):
        raise ConformanceError("--hook and --admin-url exclude each other")
    if desk.admin_url or desk.admin_token_file:
        return admin_address(desk.admin_url, desk.admin_token_file)
    if desk.hook or settings is None or url:
        return None
    return None if desk.players and not settings.admin_token_path.exists() else admin_address("", None)


def _expected(settings: Settings | None, name: str, choices: dict[str, Any]) -> Expected:
    """The rows marked (cfg): as they are said, or set, or their defaults."""
    told = {option: choice for option, choice in choices.items() if choice is not None}
    if settings is None or name not in settings.providers:
        return Expected(**told)
    given = settings.providers[name]
    as_set = {
        "session": given.session,
        "cancel_unknown": given.cancel_unknown,
        "change_overdraw": given.change_overdraw,
        "grace_s": settings.session_grace_ms / 1000,
        "body_bytes_max": settings.body_bytes_max,
    }
    return Expected(**{**as_set, **told})
