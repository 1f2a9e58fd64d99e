"""Turns a validation error into one line for the operator: which setting, what is wrong, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from seamless_wallet.settings.model import Settings
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.token_settings import TokenSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

NAMED: Final[dict[str, type[BaseModel]]] = {"providers": ProviderSettings, "tokens": TokenSettings}
"""Settings that have a table for each name."""

VALUE_CHARACTERS_MAX: Final = 60
"""A wrong value with more characters is not repeated."""


def explain(error: ValidationError, env_names: Mapping[str, str], origin: str) -> str:
    """The line for the first error. `env_names`: setting → variable that set it. `origin` names the file."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if not path:
        return _message(first)
    field = _field(path)
    name = env_names.get(path[0]) or ".".join(_named(path)) + origin
    return f"{name}: {_message(first)}{_shown(first, field)}; {_remedy(first, field)}".rstrip("; ")


def _message(error: ErrorDetails) -> str:
    """Pydantic's message, changed to follow the name of a setting."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return "is missing"
    if error["loc"] and error["loc"][-1] == "[key]":
        return "is not a valid name"
    words = error["msg"].replace("dictionary", "table").replace("Input should", "should").replace("String", "text")
    return words.partition(", unable")[0]


def _named(path: list[str]) -> list[str]:
    """The path without the parts that pydantic adds for keys, positions and union members."""
    return [part for part in path if part != "[key]" and not part.isdigit() and "[" not in part]


def _field(path: list[str]) -> FieldInfo | None:
    """The wrong setting, if it has a description."""
    if path[0] in NAMED:
        return NAMED[path[0]].model_fields.get(path[2]) if len(path) > 2 else None
    return Settings.model_fields.get(path[0])


def _shown(error: ErrorDetails, field: FieldInfo | None) -> str:
    """The wrong value, if it is short, simple and no secret."""
    value: Any = error["input"]
    if field is None or "Secret" in repr(field.annotation) or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return f", not {text!r}" if len(text) <= VALUE_CHARACTERS_MAX and text.isprintable() else ""


def _remedy(error: ErrorDetails, field: FieldInfo | None) -> str:
    if field is None:
        return "see `wallet docs settings` for what it may be"
    if error["type"] == "value_error":
        return ""
    if field.is_required():
        return f"set it: {field.description}"
    return f"correct it, or leave it out for the default ({default_text(field)})"


def default_text(field: FieldInfo) -> str:
    """A default value as an operator would write it."""
    default = field.get_default()
    if default is None or default in ((), {}):
        return "none"
    if isinstance(default, dict):
        return ", ".join(f"{key} = {value}" for key, value in default.items())
    return str(default)
