"""Every setting: its name, default and bounds, and the paths that follow from the settings.

The description of a field is what `docs/settings.md` says about it.
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
    Traces,
    Whole,
)
from seamless_wallet.settings.provider_settings import ProviderSettings
from seamless_wallet.settings.urls import (
    POSTGRES_PREFIXES,
    SOCKET_PATH_BYTES_MAX,
    SQLITE_PREFIX,
    socket_url,
)

HOT_WINDOWS_DEADLINES: Final = 10
"""The hot window must be this many deadlines long: during a look-up in SQL, Redis must not forget what it learns."""

BODY_BYTES_MAX_DEFAULT: Final = 4 * 2**20
"""A legal change of 500 results has up to 2.1 MB if its ids have 128 characters, each escaped as a surrogate pair, and
a quarter more in escaped lines and with long texts. A body that does not fit gets R2, and no retry can help it."""

RUN_FILE_NAME_BYTES_MAX: Final = 24
"""A socket in the run directory has a name that is not longer: a role, the number of a process, and what they need."""


class Settings(BaseModel):
    """Everything that may be set. A name ends with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    config: Path | None = Field(
        None,
        description="TOML file with settings. Default: `wallet.toml` in the data directory, if it is there.",
    )
    data_dir: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        Path("var"),
        validate_default=True,
        description="Directory of the ledger, locks, sockets and generated secrets. Created with mode 0700.",
    )
    redis_url: RedisUrl | None = Field(
        None,
        description="URL of Redis or Valkey: `redis://`, `rediss://` or `unix://`. Default: an embedded Valkey on a "
        "unix socket.",
    )
    ledger_url: LedgerUrl | None = Field(
        None,
        description="URL of the ledger: `sqlite:///relative/path`, `sqlite:////absolute/path` or "
        "`postgresql://user:password@host/database`. The directory, or the database, must exist. Default: "
        "`ledger.sqlite3` in the data directory.",
    )
    workers: Whole = Field(1, ge=1, le=256, description="Number of processes that answer webhooks.")
    shards: Whole = Field(
        16, ge=1, le=1024, description="Number of logical shards. It cannot be changed once the ledger exists."
    )
    webhook_host: Host = Field("127.0.0.1", description="Address to listen on for webhooks.")
    webhook_port: Port = Field(8080, description="Port to listen on for webhooks. 0 takes any free port.")
    admin_host: Host = Field("127.0.0.1", description="Address to listen on for the back office, health and metrics.")
    admin_port: Port = Field(8081, description="Port of the back office, health and metrics. 0 takes any free port.")
    health_host: Host = Field(
        "127.0.0.1", description="Address to listen on for the health of a process that was started by itself."
    )
    health_port: Port | None = Field(
        None,
        description="Port on which a process that was started by itself (`wallet serve`, `wallet write`, `wallet "
        "admin`) answers `/livez`, `/readyz` and `/metrics` of its own. 0 takes any free port. Default: none, only a "
        "unix socket. With `wallet up`, the port of the back office tells about all processes.",
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
            raise ValueError(
                f"admin_port: {self.admin_port} is also webhook_port on the same host; choose another port"
            )
        return self

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

    @property
    def ledger_path(self) -> Path:
        """The SQLite file. Of a ledger on a server: beside this path stands how far this machine has verified it."""
        if self.ledger_url is None:
            return self.data_dir / "ledger.sqlite3"
        if self.ledger_server is not None:
            return self.data_dir / "ledger.postgresql"
        return Path(self.ledger_url.get_secret_value().removeprefix(SQLITE_PREFIX)).absolute()

    @property
    def ledger_server(self) -> str | None:
        """The URL of a ledger in PostgreSQL, password included: never log it. None: it is a SQLite file."""
        url = self.ledger_url and self.ledger_url.get_secret_value()
        return url if url and url.startswith(POSTGRES_PREFIXES) else None

    @property
    def calls_path(self) -> Path:
        """The SQLite file of the history of calls, beside the ledger."""
        return self.ledger_path.with_name(f"{self.ledger_path.name}.calls.db")

    @property
    def calls_spool_path(self) -> Path:
        """The directory of the calls that are not in that file yet."""
        return self.ledger_path.with_name(f"{self.ledger_path.name}.calls")

    @property
    def embedded_redis(self) -> bool:
        """Whether `wallet up` runs its own Valkey."""
        return self.redis_url is None

    @property
    def redis_address(self) -> str:
        """The URL to connect to, password included: never log it."""
        return socket_url(self.redis_socket_path) if self.redis_url is None else self.redis_url.get_secret_value()

    @property
    def redis_socket_path(self) -> Path:
        """The socket of the embedded Valkey: in the data directory, if the path is short enough for a socket.

        Otherwise in a private temporary directory, always the same one for this data directory and user.
        """
        inside = self.data_dir / "redis.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX:
            return inside
        return self._temporary_dir / "redis.sock"

    @property
    def lock_path(self) -> Path:
        """The lock file of the one `wallet up` that may use this data directory."""
        return self.data_dir / "up.lock"

    @property
    def pid_dir(self) -> Path:
        """Has one file for each running child."""
        return self.data_dir / "pids"

    @property
    def run_dir(self) -> Path:
        """Has a socket of each running process, by which it tells about itself.

        In the data directory, if the paths of sockets are short enough there, else in the same place as that of Redis.
        """
        inside = self.data_dir / "run"
        if len(os.fsencode(inside)) + 1 + RUN_FILE_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX:
            return inside
        return self._temporary_dir / "run"

    @property
    def _temporary_dir(self) -> Path:
        """For sockets whose paths in the data directory would be too long. The same one for each user and directory."""
        digest = hashlib.blake2b(os.fsencode(self.data_dir), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"wallet-{os.getuid()}-{digest}"

    @property
    def admin_token_path(self) -> Path:
        """The file of the generated token, if no token is set."""
        return self.data_dir / "admin.token"
