"""Reads settings from the environment, then from a TOML file; the rest are defaults."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from seamless_wallet.errors import SettingsError
from seamless_wallet.settings.explain import explain
from seamless_wallet.settings.model import Settings
from seamless_wallet.settings.path_checks import check_name, check_paths
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.secret_files import read_secret
from seamless_wallet.settings.token_settings import TokenSettings
from seamless_wallet.trusted_paths import UntrustedPath, open_trusted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PREFIX: Final = "WALLET_"
CONFIG_FILE: Final = "wallet.toml"
TABLES: Final = frozenset({"currencies", "providers", "tokens"})
"""Settings that are tables: they can stand in the TOML file only."""
SECRETS: Final = frozenset(
    {"redis_url", "ledger_url", "admin_token", "tls_cert", "tls_key", "webhook_tls_client_ca", "admin_tls_client_ca"}
)
"""Settings that may have a file of their own, which the setting with `_file` at its end names."""
PROVIDER_SECRETS: Final = frozenset({"api_key", "previous_api_key"})
TOKEN_SECRETS: Final = frozenset({"token"})
NAMED_TABLES: Final[dict[str, tuple[type[BaseModel], frozenset[str]]]] = {
    "providers": (ProviderSettings, PROVIDER_SECRETS),
    "tokens": (TokenSettings, TOKEN_SECRETS),
}
"""Settings that have a table for each name, what such a table has, and which of it are secrets."""
KEYS: Final = (frozenset(Settings.model_fields) - {"config"}) | {f"{name}_file" for name in SECRETS}
SERVICE_LINK: Final = re.compile(r"WALLET_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
"""Variables that Kubernetes adds to the environment of every pod beside a service called `wallet…`."""
SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://\S+:\d+")


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check all settings. Raises SettingsError."""
    check_name("WALLET_DATA_DIR", data_dir_of(environ))
    config = _config_path(environ)
    given = _environment(environ)
    written = _toml(config) if config else {}
    origin = f" in {config}" if config else ""
    merged = _read_files(written, Path() if config is None else config.parent, "{}" + origin)
    merged |= _read_files(given, Path(), PREFIX + "{}")
    try:
        settings = Settings.model_validate(merged | {"config": config})
    except ValidationError as error:
        raise SettingsError(
            explain(error, {key.removesuffix("_file"): PREFIX + key.upper() for key in given}, origin)
        ) from None
    if config and "WALLET_CONFIG" not in environ and config.parent != settings.data_dir:
        raise SettingsError(
            f"data_dir{origin}: names another directory than that of this file; set WALLET_DATA_DIR instead"
        )
    check_paths(settings)
    return settings


def data_dir_of(environ: Mapping[str, str]) -> Path:
    """The data directory by the environment alone."""
    return Path(environ.get("WALLET_DATA_DIR") or Settings.model_fields["data_dir"].default).absolute()


def _config_path(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("WALLET_CONFIG")
    if named:
        check_name("WALLET_CONFIG", Path(named).absolute())
        return Path(named).absolute()
    found = data_dir_of(environ) / CONFIG_FILE
    return found if os.path.lexists(found) else None


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Setting → value of its variable. An empty variable counts as not set, as compose files write those."""
    known = {PREFIX + key.upper(): key for key in KEYS}
    given: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or not value or name == "WALLET_CONFIG":
            continue
        if SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and SERVICE_ADDRESS.fullmatch(value)):
            continue
        if name.removeprefix(PREFIX).lower() in TABLES:
            raise SettingsError(f"{name}: is a table; write it into the TOML file that WALLET_CONFIG names")
        if name not in known:
            raise SettingsError(f"{name}: there is no such setting; {_nearest(name, known)}")
        given[known[name]] = value
    return given


def _toml(path: Path) -> dict[str, Any]:
    """The settings in the file. Every name is known."""
    try:
        with os.fdopen(open_trusted(path), "rb") as file:
            written = tomllib.load(file)
    except UntrustedPath as error:
        raise SettingsError(f"WALLET_CONFIG: {error}") from None
    except OSError as error:
        raise SettingsError(f"WALLET_CONFIG: cannot read {path} ({error.strerror}); correct its path or mode") from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of too many digits; too deep
        raise SettingsError(f"WALLET_CONFIG: {path} is not TOML ({error}); correct the file") from None
    for key in written:
        if key not in KEYS | TABLES:
            raise SettingsError(f"{key} in {path}: there is no such setting; {_nearest(key, KEYS | TABLES)}")
    for setting in NAMED_TABLES:
        _check_tables(setting, written.get(setting), path)
    if "data_dir" in written:
        written["data_dir"] = path.parent / str(written["data_dir"])
    return written


def _check_tables(setting: str, tables: Any, path: Path) -> None:
    """Whether every name in the tables of this setting is known. Raises SettingsError."""
    model, secrets = NAMED_TABLES[setting]
    known = frozenset(model.model_fields) | {f"{name}_file" for name in secrets}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                place = f"{setting}.{name}.{key} in {path}"
                raise SettingsError(f"{place}: there is no such setting; {_nearest(key, known)}")


def _read_files(source: Mapping[str, Any], base: Path, place: str) -> dict[str, Any]:
    """The source with each `…_file` replaced by the content of that file. Relative paths start at `base`."""
    values = _replace_files(source, SECRETS, base, place)
    for setting, (_, secrets) in NAMED_TABLES.items():
        tables = values.get(setting)
        if isinstance(tables, dict):
            values[setting] = {
                name: _replace_files(table, secrets, base, place.replace("{}", f"{setting}.{name}.{{}}"))
                if isinstance(table, dict)
                else table
                for name, table in tables.items()
            }
    return values


def _replace_files(table: Mapping[str, Any], secrets: Collection[str], base: Path, place: str) -> dict[str, Any]:
    values = dict(table)
    for key in secrets:
        path = values.pop(f"{key}_file", None)
        if path is None:
            continue
        name = f"{key}_file".upper() if place.startswith(PREFIX) else f"{key}_file"
        setting = place.replace("{}", name)
        if key in values:
            raise SettingsError(f"{setting}: {key} is set, too; keep one of the two")
        if not isinstance(path, str):
            raise SettingsError(f"{setting}: should be the path of a file; write it as a string")
        values[key] = read_secret(base / path, setting)
    return values


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "see `wallet docs settings` for all settings"
