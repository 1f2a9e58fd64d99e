"""The settings that say where things are, and the paths that follow from them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from seamless_wallet.settings.field_types import LedgerUrl, RedisUrl
from seamless_wallet.settings.urls import POSTGRES_PREFIXES, SOCKET_PATH_BYTES_MAX, SQLITE_PREFIX, socket_url

RUN_FILE_NAME_BYTES_MAX: Final = 24
"""A socket in the run directory has a name that is not longer: a role, the number of a process, and what they need."""


class Places(BaseModel):
    """Where the settings, the data, Redis and the ledger are."""

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
    def audit_path(self) -> Path:
        """The SQLite file of the audit log, beside the ledger."""
        return self.ledger_path.with_name(f"{self.ledger_path.name}.audit.db")

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
