"""What differs between the settings that are in force and those that were read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamless_wallet.errors import SettingsError

if TYPE_CHECKING:
    from seamless_wallet.settings.model import Settings

NEEDS_RESTART: Final = (
    "data_dir",
    "redis_url",
    "ledger_url",
    "shards",
    "webhook_host",
    "webhook_port",
    "admin_host",
    "admin_port",
)
"""Settings that a reload leaves as they are: sockets, files and servers that the running service holds follow them."""


def changed_names(old: Settings, new: Settings) -> list[str]:
    """The names of the settings that differ, those of one provider as `providers.<name>`. Never a value."""
    settings = type(old).model_fields.keys() - {"config", "providers"}
    providers = old.providers.keys() | new.providers.keys()
    return [
        *sorted(name for name in settings if getattr(old, name) != getattr(new, name)),
        *sorted(f"providers.{name}" for name in providers if old.providers.get(name) != new.providers.get(name)),
    ]


def without_restart(old: Settings, new: Settings) -> Settings:
    """The new settings, with the old values of what needs a restart.

    Raises SettingsError if there was a settings file and there is none now: that would take every provider off.
    """
    if old.config is not None and new.config is None:
        raise SettingsError(f"WALLET_CONFIG: {old.config} is gone; put it back, or restart to do without it")
    return new.model_copy(update={name: getattr(old, name) for name in NEEDS_RESTART})
