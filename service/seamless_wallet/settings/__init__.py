"""The settings: what the operator may set, read once at the start, validated, and frozen afterwards.

It knows the environment, TOML files and secret files; of the other rooms ciphers, money, TLS, roles and errors. It
opens no port, no database and no connection. Only `cli`, `processes` and `supervisor` read settings: the rooms below
get values. Whatever is wrong is a `SettingsError` of one line. A command loads settings by
`processes.provider_accounts`, which also sees that each provider can be made. Modules: `model` (every setting, its
default and bounds) with `places` and `listeners`, `provider_settings` and `token_settings` (those of one provider and
of one token), `field_types` and `urls` (kinds of value), `sources` (environment and file), `secret_files`, `explain`
(error messages), `demo_settings`.
"""

from __future__ import annotations

from seamless_wallet.settings.demo_settings import ensure_demo
from seamless_wallet.settings.model import Settings
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.secret_files import admin_token
from seamless_wallet.settings.sources import load_settings

__all__ = ["ProviderSettings", "Settings", "admin_token", "ensure_demo", "load_settings"]
