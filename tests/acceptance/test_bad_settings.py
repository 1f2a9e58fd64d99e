"""A bad setting stops the start with one clear line and an exit status, and changes nothing."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance.service_process import CONFIG, KEY, RunningService, environment, run
from tests.valkey_server import start_valkey


@pytest.fixture
def ready_made(tmp_path: Path) -> Path:
    """A directory with a configuration and a ledger of 4 shards."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    made = run(["init"], environment(tmp_path))
    assert made.returncode == 0, made.stderr
    return tmp_path


def contents(directory: Path) -> dict[str, bytes]:
    """Every file with its bytes, but for the empty side files that SQLite's readers leave."""
    files = {str(path.relative_to(directory)): path for path in directory.rglob("*") if not path.name.endswith("-shm")}
    found = {name: path.read_bytes() if path.is_file() else b"" for name, path in files.items()}
    return {name: content for name, content in found.items() if content or not name.endswith("-wal")}


def refused(directory: Path, *words: str, **changes: str) -> None:
    """`wallet up` says one line with these words, exits with 78 and leaves the directory as it was."""
    before = contents(directory)
    result = run(["up"], environment(directory, **changes))
    assert result.returncode == 78, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]
    assert KEY not in result.stderr
    assert result.stdout == ""
    assert contents(directory) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(KEY, KEY[1:]), ("providers.acme.api_key", "31 bytes", "32")),
        (lambda text: text.replace("dowinn-v3", "dowinn-v9"), ("providers.acme.profile", "dowinn-v3")),
        (lambda text: text.replace("api_id", "api_idd"), ("api_idd", "api_id")),
        (lambda text: text + 'cipher = "rot13"\n', ("providers.acme.cipher", "aes-256-ecb")),
        (lambda text: text + "=", ("wallet.toml",)),
    ],
    ids=["31-byte key", "unknown profile", "misspelt key", "unknown cipher", "not TOML"],
)
def test_a_wrong_configuration_is_refused(
    ready_made: Path, change: Callable[[str], str], words: tuple[str, ...]
) -> None:
    """The line names the setting and what it may be."""
    (ready_made / "wallet.toml").write_text(change(CONFIG))
    refused(ready_made, *words)


@pytest.mark.parametrize("name", ["WALLET_WEBHOOK_PORT", "WALLET_ADMIN_PORT"])
def test_a_taken_port_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made, even the data directory."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused(tmp_path, name, port, "taken", **{name: port})


def test_another_number_of_shards_is_refused(ready_made: Path) -> None:
    """The number of shards is fixed once the ledger exists."""
    refused(ready_made, "shards", "4", "8", WALLET_SHARDS="8")


def test_another_scale_of_a_used_currency_is_refused(ready_made: Path) -> None:
    """Amounts in the ledger would change their meaning."""
    with RunningService(ready_made) as service:
        created = service.wallet("player", "create", "p", "KRW")
        assert created.returncode == 0, created.stderr
    (ready_made / "wallet.toml").write_text("[currencies]\nKRW = 0\n" + CONFIG)
    refused(ready_made, "KRW", "scale")


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A place below which nobody, not even root, can make a directory."""
    place = tmp_path / "a-file"
    place.write_text("")
    yield place
    shutil.rmtree(tmp_path / "nothing", ignore_errors=True)


def test_an_unwritable_data_directory_is_refused(tmp_path: Path, unwritable: Path) -> None:
    """The line names the setting."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    refused(tmp_path, "WALLET_DATA_DIR", WALLET_DATA_DIR=str(unwritable / "var"))


def test_an_unknown_environment_variable_is_refused(ready_made: Path) -> None:
    """A misspelt name would otherwise be a default, silently; the line names the nearest."""
    refused(ready_made, "WALLET_WORKER", "WALLET_WORKERS", WALLET_WORKER="2")


def test_a_second_service_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """The data directory is locked, and the first service does not notice."""
    with RunningService(tmp_path) as service:
        result = run(["up"], environment(tmp_path))
        assert result.returncode == 78
        (line,) = result.stderr.strip().splitlines()
        assert "WALLET_DATA_DIR" in line
        assert service.wallet("trial-balance").returncode == 0


@pytest.fixture
def limited_redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a user who may do everything but use channels."""
    with start_valkey(tmp_path) as server, Redis.from_url(server.url) as redis:
        redis.execute_command("ACL", "SETUSER", "wallet", "on", ">password", "allkeys", "+@all", "resetchannels")
        yield f"unix://wallet:password@{server.socket_path}"


@pytest.mark.parametrize("command", ["up", "write", "serve", "admin"])
def test_a_redis_user_who_may_not_use_channels_is_refused(ready_made: Path, limited_redis: str, command: str) -> None:
    """By each process, before it says that it is ready. The line names the channel, and not the password."""
    result = run([command], environment(ready_made, WALLET_REDIS_URL=limited_redis))
    assert result.returncode == 78, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("wallet:")]
    assert len(lines) == 1, result.stderr
    assert "permission for PUBLISH wallet:" in lines[0]
    assert "password" not in result.stderr
