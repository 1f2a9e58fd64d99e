"""The settings themselves: names, defaults, bounds, and the paths that follow from them.

A field's description is what `docs/settings.md` says about it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from seamless_wallet.errors import WalletError
from seamless_wallet.settings.field_types import (
    Currency,
    Host,
    LedgerUrl,
    LogLevel,
    Networks,
    Port,
    ProviderName,
    RedisUrl,
    Scale,
    Token,
    Whole,
)
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.urls import SOCKET_PATH_BYTES_MAX, SQLITE_PREFIX

HOT_WINDOWS_DEADLINES: Final = 10
"""A look-up in SQL trusts that what was written since it began is still in Redis."""


METRICS_DIR_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus-client finds the directory that processes share."""

SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a directory of our own in it, checked for its owner


class SettingsError(WalletError):
    """A setting is wrong. One line: which one, what is wrong, what to do; never a secret's value."""


class Settings(BaseModel):
    """Everything that may be set. Units stand last in the names."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    config: Path | None = Field(
        None,
        description="TOML file with further settings. Left out: `wallet.toml` in the data directory.",
    )
    data_dir: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        Path("var"),
        validate_default=True,
        description="Holds the ledger, locks, sockets and generated secrets. Created with mode 0700.",
    )
    redis_url: RedisUrl | None = Field(
        None,
        description="`redis://`, `rediss://` or `unix://`. Left out: an embedded Valkey on a unix socket.",
    )
    ledger_url: LedgerUrl | None = Field(
        None,
        description="`sqlite:///relative/path` or `sqlite:////absolute/path`. Its directory must "
        "exist. Left out: `ledger.sqlite3` in the data directory. Only SQLite is supported so far.",
    )
    workers: Whole = Field(1, ge=1, le=256, description="Processes that answer webhooks.")
    shards: Whole = Field(16, ge=1, le=1024, description="Logical shards. Fixed once the ledger exists.")
    webhook_host: Host = Field("127.0.0.1", description="Address that listens for webhooks.")
    webhook_port: Port = Field(8080, description="Its port; 0 takes any free one.")
    admin_host: Host = Field("127.0.0.1", description="Address of the back office, health and metrics.")
    admin_port: Port = Field(8081, description="Its port; 0 takes any free one.")
    admin_token: Token | None = Field(
        None,
        description="Bearer token of the back office: at least 16 characters, printable ASCII without spaces. "
        "Left out: generated into `admin.token` in the data directory.",
    )
    deadline_ms: Whole = Field(
        2000,
        ge=10,
        le=60_000,
        description="After this a webhook is answered R1. Stay below the provider's time-out.",
    )
    hot_window_s: Whole = Field(
        3600,
        ge=1,
        le=30 * 86_400,
        description="How long Redis remembers events; older ones are looked up in SQL. At least 10 deadlines.",
    )
    body_bytes_max: Whole = Field(65_536, ge=1024, le=16 * 2**20, description="Longest request body.")
    session_s: Whole = Field(28_800, ge=1, le=30 * 86_400, description="A session ends this long after its last use.")
    session_grace_ms: Whole = Field(
        10_000, ge=0, le=3_600_000, description="Bets still accepted this long after a logout."
    )
    pending_max: Whole = Field(
        10_000,
        ge=1,
        le=10_000_000,
        description="Uncommitted entries of a shard past which bets get R1; other events: twice that.",
    )
    in_flight_max: Whole = Field(
        4096,
        ge=1,
        le=1_000_000,
        description="Commands a worker has under way in Redis, past which it answers R1.",
    )
    stream_tail: Whole = Field(
        1000, ge=0, le=1_000_000, description="Entries of a shard kept in Redis after they were committed."
    )
    batch_max: Whole = Field(1000, ge=1, le=100_000, description="Entries the writer commits in one transaction.")
    trusted_proxies: Networks = Field((), description="Networks whose `X-Forwarded-For` is believed. Left out: none.")
    log_level: LogLevel = Field("INFO", description="`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.")
    currencies: Mapping[Currency, Scale] = Field(
        {"KRW": 2, "USD": 2, "JPY": 2, "PHP": 2, "EUR": 2},
        min_length=1,
        description="Table of name = decimal places (0 to 8). Given, it replaces the default. Never change "
        "the scale of a currency in use.",
    )
    providers: Mapping[ProviderName, ProviderSettings] = Field({}, description="One table per game provider.")

    @model_validator(mode="after")
    def _providers_use_known_currencies(self) -> Settings:
        for name, provider in self.providers.items():
            for currency in provider.currencies or ():
                if currency not in self.currencies:
                    place = f"providers.{name}.currencies"
                    raise ValueError(f"{place}: {currency} is not in [currencies]; add it there")
        return self

    @model_validator(mode="after")
    def _listeners_are_two(self) -> Settings:
        if self.admin_port and (self.admin_host, self.admin_port) == (self.webhook_host, self.webhook_port):
            raise ValueError(f"admin_port: {self.admin_port} is webhook_port, too, on the same host; choose another")
        return self

    @model_validator(mode="after")
    def _events_are_remembered_long_enough(self) -> Settings:
        if self.hot_window_s * 1000 < HOT_WINDOWS_DEADLINES * self.deadline_ms:
            raise ValueError(
                f"hot_window_s: {self.hot_window_s} s is less than {HOT_WINDOWS_DEADLINES} times deadline_ms; "
                "Redis must remember an event much longer than its answer may take: raise it"
            )
        return self

    @property
    def ledger_path(self) -> Path:
        """The SQLite file."""
        if self.ledger_url is None:
            return self.data_dir / "ledger.sqlite3"
        return Path(self.ledger_url.get_secret_value().removeprefix(SQLITE_PREFIX)).absolute()

    @property
    def embedded_redis(self) -> bool:
        """Whether `wallet up` runs its own Valkey."""
        return self.redis_url is None

    @property
    def redis_address(self) -> str:
        """The URL to connect to, password included: never log it."""
        return f"unix://{self.redis_socket_path}" if self.redis_url is None else self.redis_url.get_secret_value()

    @property
    def redis_socket_path(self) -> Path:
        """Socket of the embedded Valkey: in the data directory if its path is short enough for a socket.

        Else in a private temporary directory, the same for this data directory and user every time.
        """
        inside = self.data_dir / "redis.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX:
            return inside
        return Path(tempfile.gettempdir()) / f"wallet-{os.getuid()}-{self._digest}" / "redis.sock"

    @property
    def lock_path(self) -> Path:
        """Locked by the one `wallet up` of this data directory."""
        return self.data_dir / "up.lock"

    @property
    def pid_dir(self) -> Path:
        """One file per running child."""
        return self.data_dir / "pids"

    @property
    def metrics_dir(self) -> Path:
        """PROMETHEUS_MULTIPROC_DIR of all processes; emptied by each `wallet up`.

        In memory where there is a place for it: a write to a mapped file on a full disk would kill the process.
        """
        if os.access(SHARED_MEMORY, os.W_OK):
            return SHARED_MEMORY / f"wallet-{os.getuid()}-{self._digest}"
        return self.data_dir / "metrics"

    @property
    def _digest(self) -> str:
        """A name for this data directory elsewhere."""
        return hashlib.blake2b(os.fsencode(self.data_dir), digest_size=8).hexdigest()

    @property
    def admin_token_path(self) -> Path:
        """The generated token, if none is set."""
        return self.data_dir / "admin.token"
