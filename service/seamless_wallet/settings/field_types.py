"""The kinds of value that a setting may have. Error messages say what to do, and never repeat a secret."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from seamless_wallet.ciphers import CIPHERS, KEY_ENCODINGS
from seamless_wallet.money import SCALE_MAX
from seamless_wallet.provider_choices import PROVIDER_NAME
from seamless_wallet.settings.urls import check_digest, check_host, check_ledger_url, check_redis_url, check_token
from seamless_wallet.tls import check_certificates

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _split(value: Any) -> Any:
    """The items of a list that an environment variable separates by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _network(value: Any) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(str(value))
    except ValueError as error:
        raise ValueError(f"should be networks such as 10.0.0.0/8 or single addresses; {error}") from None


def _checked(check: Callable[[str], None]) -> AfterValidator:
    """Validates a secret text: `check` raises ValueError if it is wrong."""

    def validate(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return AfterValidator(validate)


def _no_boolean(value: Any) -> Any:
    """Refuse a boolean: TOML's true is not the number 1."""
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("is empty; name at least one, or leave it out for all of [currencies]")
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


@dataclass(frozen=True)
class OneOf:
    """Makes a text one of these words: the names of a table that stands elsewhere, so that each name stands once."""

    words: Iterable[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


RedisUrl = Annotated[SecretStr, _checked(check_redis_url)]
LedgerUrl = Annotated[SecretStr, _checked(check_ledger_url)]
Token = Annotated[SecretStr, _checked(check_token)]
Digest = Annotated[SecretStr, _checked(check_digest)]  # somebody may have written the token itself
Certificates = Annotated[SecretStr, _checked(check_certificates)]
Networks = Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], BeforeValidator(_split)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}[A-Z0-9]{0,9}$")]
Currencies = Annotated[tuple[Currency, ...], BeforeValidator(_split), AfterValidator(_not_empty)]
Whole = Annotated[int, BeforeValidator(_no_boolean)]
Scale = Annotated[Whole, Field(ge=0, le=SCALE_MAX)]
CipherName = Annotated[str, OneOf(CIPHERS)]
KeyEncoding = Annotated[str, OneOf(KEY_ENCODINGS)]
ProviderName = Annotated[str, StringConstraints(pattern=f"^{PROVIDER_NAME.pattern}$")]
TokenName = ProviderName
Host = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(check_host)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
Traces = Literal["off", "otlp"]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]
