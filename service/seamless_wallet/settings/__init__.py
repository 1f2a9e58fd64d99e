"""What the operator may set: read once, validated at start, frozen afterwards.

`load_settings` is the only way in; every refusal is a `SettingsError` of one line.
"""

from __future__ import annotations

from seamless_wallet.settings.demo_settings import ensure_demo
from seamless_wallet.settings.model import Settings, SettingsError
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.secret_files import admin_token
from seamless_wallet.settings.sources import load_settings

__all__ = ["ProviderSettings", "Settings", "SettingsError", "admin_token", "ensure_demo", "load_settings"]
