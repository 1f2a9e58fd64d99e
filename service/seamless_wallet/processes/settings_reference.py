"""Writes docs/settings.md: `python -m seamless_wallet.processes.settings_reference > docs/settings.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Final, get_args

from seamless_wallet.providers import PROFILES
from seamless_wallet.settings.changes import NEEDS_RESTART
from seamless_wallet.settings.explain import default_text
from seamless_wallet.settings.field_types import OneOf
from seamless_wallet.settings.model import Settings
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.sources import PREFIX, PROVIDER_SECRETS, SECRETS, TABLES, TOKEN_SECRETS
from seamless_wallet.settings.token_settings import TokenSettings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

INTRODUCTION: Final = """\
# Settings

Every setting is an environment variable, or a key of a TOML file: the same name in lower case and without
`WALLET_` (`WALLET_WEBHOOK_PORT=8080` is `webhook_port = 8080`). The environment wins. `WALLET_CONFIG` names the
file. Without it, `wallet.toml` in the data directory is read, if it is there. An empty variable counts as not
set. Separate the items of a list by commas in a variable; in TOML, write an array.

A secret may have a file of its own: add `_FILE` to the name of the setting (in TOML `_file`). In the TOML file,
a relative `data_dir` or `…_file` starts at the directory of that file.

Settings are read at the start, and again on SIGHUP ([operations](operations.md#reload)). A wrong value or an unknown
name stops the start, with one line that says which setting it is, what is wrong and what to do. (Variables that
Kubernetes adds for a service called `wallet`, such as `WALLET_SERVICE_HOST` and `WALLET_PORT`, are ignored.)

This page is made from the code: `python -m seamless_wallet.processes.settings_reference > docs/settings.md`.
"""
PROVIDERS: Final = """
## Providers

In the TOML file only: one table `[providers.<name>]` for each provider. A name consists of `a-z`, `0-9` and `-`.
The ledger keeps it with every entry, so do not change it later.

```toml
[providers.acme]
profile = "dowinn-v3"
api_id = "operator-17"
api_key_file = "acme.key"
currencies = ["KRW", "USD"]
allow = ["192.0.2.0/24"]
```
"""


TOKENS: Final = """
## Tokens

In the TOML file only: one table `[tokens.<name>]` for each token of the back office beside the admin token, such as
`wallet token new ann --role support` prints. The name is what the audit log calls the holder. It consists of `a-z`,
`0-9` and `-`, and is not `admin`. No two holders have the same token, and none has the admin token.

```toml
[tokens.ann]
role = "support"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
```
"""


def reference() -> str:
    """The whole page, as Markdown."""
    variables = {PREFIX + key.upper(): field for key, field in Settings.model_fields.items() if key not in TABLES}
    currencies = Settings.model_fields["currencies"]
    return "\n".join(
        [
            INTRODUCTION,
            *_table(variables, {PREFIX + key.upper() for key in SECRETS}, "_FILE"),
            "\n## Currencies\n",
            f"`[currencies]`, in the TOML file only. {currencies.description}",
            f"\nDefault: {default_text(currencies)}.",
            PROVIDERS,
            *_table(ProviderSettings.model_fields, PROVIDER_SECRETS, "_file"),
            TOKENS,
            *_table(TokenSettings.model_fields, TOKEN_SECRETS, "_file"),
            "",
        ]
    )


def _table(fields: dict[str, FieldInfo], secrets: set[str] | frozenset[str], suffix: str) -> list[str]:
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        names = f"`{name}`, `{name}{suffix}`" if name in secrets else f"`{name}`"
        default = "required" if field.is_required() else f"`{default_text(field)}`".replace("`none`", "")
        told = f"{field.description}{_bounds(field)}{_choices(name, field)}{_restart(name, field)}"
        lines.append(f"| {names} | {default} | {told} |")
    return lines


def _bounds(field: FieldInfo) -> str:
    limits = {type(limit).__name__: limit for limit in field.metadata}
    if "Ge" not in limits or "Le" not in limits:
        return ""
    return f" From {limits['Ge'].ge} to {limits['Le'].le}."


def _restart(name: str, field: FieldInfo) -> str:
    needed = name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() in NEEDS_RESTART
    return " A change needs a restart." if needed and "cannot be changed" not in str(field.description) else ""


def _choices(name: str, field: FieldInfo) -> str:
    """The words that the setting may have, if these are few."""
    if name == "profile":
        return f" Known formats: {_quoted(PROFILES)}."
    words = _quoted(_words(field))
    return f" One of {words}." if words else ""


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _words(field: FieldInfo) -> Iterable[str]:
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return list(field.annotation)
    literals = [word for word in get_args(field.annotation) if isinstance(word, str)]
    return next((limit.words for limit in field.metadata if isinstance(limit, OneOf)), literals)


if __name__ == "__main__":
    sys.stdout.write(reference())
