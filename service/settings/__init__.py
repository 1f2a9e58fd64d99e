"""What the operator may set: read once, validated at start, frozen afterwards.

`load_settings` is the only way in; every refusal is a `SettingsError` of one line.
"""

from __future__ import annotations

from service.settings.demo import ensure_demo
from service.settings.load import load_settings
from service.settings.model import Settings, SettingsError
from service.settings.provider import ProviderSettings
from service.settings.secret_files import admin_token

__all__ = ["ProviderSettings", "Settings", "SettingsError", "admin_token", "ensure_demo", "load_settings"]
