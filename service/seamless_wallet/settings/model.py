"""Every setting: its name, default and bounds. Those of ports and of places have modules of their own.

The description of a field is what `docs/settings.md` says about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field, SecretStr, model_validator

from seamless_wallet.access_roles import ADMIN_NAME, token_digest
from seamless_wallet.settings.field_types import (
    Currency,
    LogLevel,
    Networks,
    ProviderName,
    Scale,
    Token,
    TokenName,
    Traces,
    Whole,
)
from seamless_wallet.settings.listeners import Listeners
from seamless_wallet.settings.places import Places
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.token_settings import TokenSettings

HOT_WINDOWS_DEADLINES: Final = 10
"""The hot window must be this many deadlines long: during a look-up in SQL, Redis must not forget what it learns."""

BODY_BYTES_MAX_DEFAULT: Final = 4 * 2**20
"""A legal change of 500 results has up to 2.1 MB if its ids have 128 characters, each escaped as a surrogate pair, and
a quarter more in escaped lines and with long texts. A body that does not fit gets R2, and no retry can help it."""


class Settings(Listeners, Places):
    """Everything that may be set. A name ends with its unit."""

    workers: Whole = Field(1, ge=1, le=256, description="Number of processes that answer webhooks.")
    shards: Whole = Field(
        16, ge=1, le=1024, description="Number of logical shards. It cannot be changed once the ledger exists."
    )
    admin_token: Token | None = Field(
        None,
        description="Bearer token of the back office: at least 16 characters, printable ASCII without spaces. "
        "Default: generated, and kept in `admin.token` in the data directory.",
    )
    deadline_ms: Whole = Field(
        2000,
        ge=10,
        le=60_000,
        description="A webhook that takes longer is answered R1. Set it below the provider's time-out.",
    )
    hot_window_s: Whole = Field(
        3600,
        ge=1,
        le=30 * 86_400,
        description="How long Redis remembers events. Older ones are looked up in SQL. At least 10 times "
        "`WALLET_DEADLINE_MS`.",
    )
    idle_evict_s: Whole | None = Field(
        None,
        ge=0,
        le=90 * 86_400,
        description="A wallet that no entry was written for so long leaves Redis; its next event loads it again. More "
        "than `WALLET_HOT_WINDOW_S`. 0: wallets never leave. Default: twice `WALLET_HOT_WINDOW_S`.",
    )
    body_bytes_max: Whole = Field(
        BODY_BYTES_MAX_DEFAULT, ge=1024, le=16 * 2**20, description="A longer request body is refused."
    )
    session_s: Whole = Field(28_800, ge=1, le=30 * 86_400, description="How long after its last use a session ends.")
    session_grace_ms: Whole = Field(
        10_000, ge=0, le=3_600_000, description="How long after a logout bets are still accepted."
    )
    pending_max: Whole = Field(
        10_000,
        ge=1,
        le=10_000_000,
        description="Uncommitted entries of a shard from which on bets are answered R1. Other events: twice as many.",
    )
    in_flight_max: Whole = Field(
        4096,
        ge=1,
        le=1_000_000,
        description="Commands that a worker may have under way in Redis. Beyond that it answers R1.",
    )
    stream_tail: Whole = Field(1000, ge=0, le=1_000_000, description="Committed entries of a shard that stay in Redis.")
    batch_max: Whole = Field(
        1000, ge=1, le=100_000, description="Entries that the writer commits in one transaction, at most."
    )
    verify_every_s: Whole = Field(
        300,
        ge=0,
        le=7 * 86_400,
        description="How often the admin process verifies the entries that are new in the ledger. 0: never.",
    )
    calls_days: Whole = Field(
        30,
        ge=0,
        le=3650,
        description="Days for which the history of calls is kept. 0: no call is recorded, and what is there stays.",
    )
    audit_years: Whole = Field(
        7, ge=1, le=100, description="Years for which the audit log keeps what was done by the back office."
    )
    calls_mib: Whole = Field(
        1024,
        ge=16,
        le=1024 * 1024,
        description="Size of the history of calls in MiB. When it is reached, the oldest calls are deleted.",
    )
    trusted_proxies: Networks = Field(
        (), description="Networks of proxies whose `X-Forwarded-For` is trusted. Default: none."
    )
    log_level: LogLevel = Field(
        "INFO", description="Lowest level that is logged. `DEBUG` writes a line for each decision, too."
    )
    traces: Traces = Field(
        "off",
        description="`otlp`: each webhook call is sent as a span of OpenTelemetry, with one for each phase. It needs "
        "the extra `otel`; where spans go, `OTEL_EXPORTER_OTLP_ENDPOINT` and the other variables of its SDK say.",
    )
    currencies: Mapping[Currency, Scale] = Field(
        {"KRW": 2, "USD": 2, "JPY": 2, "PHP": 2, "EUR": 2},
        min_length=1,
        description="Table of name = decimal places (0 to 8). It replaces the default as a whole. Never change "
        "the decimal places of a currency that is in use.",
    )
    providers: Mapping[ProviderName, ProviderSettings] = Field({}, description="One table per game provider.")
    tokens: Mapping[TokenName, TokenSettings] = Field({}, description="One table per token of the back office.")

    @model_validator(mode="after")
    def _providers_use_known_currencies(self) -> Settings:
        for name, provider in self.providers.items():
            for currency in provider.currencies or ():
                if currency not in self.currencies:
                    place = f"providers.{name}.currencies"
                    raise ValueError(f"{place}: {currency} is not in [currencies]; add it there")
        return self

    @model_validator(mode="after")
    def _tokens_are_of_one_holder_each(self) -> Settings:
        holders: dict[bytes, str] = {}
        for name, token in self.tokens.items():
            if name == ADMIN_NAME:
                raise ValueError(f"tokens.{name}: is who holds WALLET_ADMIN_TOKEN; choose another name")
            other = holders.setdefault(token.holder(name).digest, name)
            if other != name:
                raise ValueError(f"tokens.{name}: is the token of tokens.{other}, too; give each holder another one")
        if self.admin_token is not None:
            self.check_admin_token(self.admin_token)
        return self

    def check_admin_token(self, token: SecretStr) -> None:
        """Raises ValueError if somebody else has it: nobody could tell who it was, and a role would be no limit.

        For the generated token, which is no setting, too.
        """
        digest = token_digest(token.get_secret_value())
        for name, other in self.tokens.items():
            if other.holder(name).digest == digest:
                raise ValueError(f"tokens.{name}: is the admin token, too; `wallet token new {name}` makes another one")

    @model_validator(mode="after")
    def _events_are_remembered_long_enough(self) -> Settings:
        if self.hot_window_s * 1000 < HOT_WINDOWS_DEADLINES * self.deadline_ms:
            raise ValueError(
                f"hot_window_s: {self.hot_window_s} s is less than {HOT_WINDOWS_DEADLINES} times deadline_ms; "
                "raise it, as Redis must remember an event much longer than its answer may take"
            )
        return self

    @model_validator(mode="after")
    def _idle_is_longer_than_hot(self) -> Settings:
        if self.idle_evict_s and self.idle_evict_s <= self.hot_window_s:
            raise ValueError(
                f"idle_evict_s: {self.idle_evict_s} s is not more than hot_window_s, {self.hot_window_s} s; raise it, "
                "as Redis must remember for so long what it decided, or set it to 0, so that wallets never leave"
            )
        return self

    @property
    def idle_evict_ms(self) -> int:
        """After how long an idle wallet leaves Redis; 0 if it never does."""
        return 1000 * (2 * self.hot_window_s if self.idle_evict_s is None else self.idle_evict_s)
