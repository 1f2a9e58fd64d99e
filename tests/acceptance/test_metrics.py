"""One scrape covers all processes and stays right when they die; each process also tells about itself alone."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from seamless_wallet.commands import Code
from seamless_wallet.settings import load_settings
from tests.acceptance.calls import login
from tests.acceptance.service_process import CONFIG, KEY, WALLET, RunningService, environment, run, wait_until

OLD_KEY = "an-older-key-of-exactly-32-bytes"
LIMIT_S = 20.0
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - to see that nothing is there
Samples = dict[tuple[str, ...], float]
"""A sample's name, then `label=value` of each of its labels, sorted → value."""


def read(text: str) -> Samples:
    """What Prometheus reads."""
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counters(samples: Samples) -> Samples:
    """Those that must never fall."""
    return {key: value for key, value in samples.items() if key[0].endswith(("_total", "_bucket", "_count", "_sum"))}


def get(url: str) -> tuple[int, str]:
    """Status and text of one answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, error.read().decode()


def scrape(service: RunningService) -> Samples:
    """All processes of a service."""
    status, text = get(f"{service.admin_url}/metrics")
    assert status == 200
    return read(text)


def ask(path: Path, target: str) -> tuple[int, str]:
    """The same at a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT_S)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.1\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def logins(samples: Samples) -> float:
    """How many were counted."""
    return sum(
        value for key, value in samples.items() if key[0] == "wallet_webhook_requests_total" and "event=login" in key
    )


def run_dir(service: RunningService) -> Path:
    """Where its processes have their sockets."""
    return load_settings(service.environ).run_dir


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """Two workers, and a provider that is changing its key."""
    (tmp_path / "one").mkdir()
    with RunningService(tmp_path / "one", WALLET_WORKERS="2", config=f'{CONFIG}previous_api_key = "{OLD_KEY}"\n') as up:
        yield up
    assert up.process.returncode == 0, up.log.read_text()
    assert not run_dir(up).exists()


@pytest.mark.timeout(120)
def test_one_scrape_covers_the_machine_and_no_total_ever_falls(service: RunningService, tmp_path: Path) -> None:
    """Through the deaths of a worker and of the admin process itself, and beside a second service."""
    samples = scrape(service)
    for role in ("supervisor", "writer", "worker", "admin"):
        assert samples["wallet_process_up", f"role={role}"] == 1
        assert abs(samples["wallet_process_start_time_seconds", f"role={role}"] - time.time()) < 100
        assert samples["wallet_process_cpu_seconds_total", f"role={role}"] > 0
        assert samples["wallet_process_resident_memory_bytes", f"role={role}"] > 10**6
        assert samples["wallet_process_open_fds", f"role={role}"] > 5
        assert samples["wallet_process_loop_lag_seconds", f"role={role}"] >= 0
    assert samples["wallet_epochs_opened_total", "cause=server"] == 4
    assert samples["wallet_redis_recoveries_total", "cause=server"] == 1
    assert [key for key in samples if key[0] == "wallet_build_info"]
    assert (samples["wallet_writer_lag_entries",], samples["wallet_writer_lag_seconds",]) == (0, 0)
    wait_until(partial(_everything_is_measured, service), LIMIT_S, "each gauge of the machine")

    workers = sorted(run_dir(service).glob("worker-*.sock"))
    assert len(workers) == 2
    wait_until(partial(_both_have_answered, service, workers), LIMIT_S, "calls answered by both workers")
    alone = [read(ask(path, "/metrics")[1]) for path in workers]
    samples = scrape(service)
    assert logins(samples) == sum(map(logins, alone)) > 0
    keys = Counter(
        {
            name: samples["wallet_webhook_api_keys_total", f"key={name}", "provider=acme"]
            for name in ("current", "previous")
        }
    )
    assert keys == {"current": logins(samples) - 1, "previous": 1}

    (tmp_path / "two").mkdir()
    with RunningService(tmp_path / "two") as second:
        assert logins(scrape(second)) == 0
        assert logins(scrape(service)) == logins(samples)

    killed = service.kill("worker-0")
    wait_until(partial(service.is_replaced, "worker-0", killed), LIMIT_S, "a new worker")
    samples = _not_less(service, samples)
    assert logins(samples) == sum(map(logins, alone))
    assert samples["wallet_process_exits_total", "role=worker"] == 1

    killed = service.kill("admin")
    wait_until(partial(service.is_replaced, "admin", killed), LIMIT_S, "a new admin process")
    wait_until(partial(_is_ready, service), LIMIT_S, "readiness")
    samples = _not_less(service, samples)
    assert logins(samples) == sum(map(logins, alone))


def _both_have_answered(service: RunningService, workers: list[Path]) -> bool:
    """Log in, once with the old key and then with the new one, until both have counted."""
    first = not logins(scrape(service))
    assert login(service.webhook_url, OLD_KEY if first else KEY) is Code.R3
    return all(logins(read(ask(path, "/metrics")[1])) for path in workers)


def _everything_is_measured(service: RunningService) -> bool:
    """What the admin process measures by itself is there, and says that all is well."""
    samples = scrape(service)
    ready = {key[1]: value for key, value in samples.items() if key[0] == "wallet_ready"}
    return (
        ready == {f"component={name}": 1 for name in ("redis", "ledger", "writer", "workers", "admin", "parent")}
        and samples.get(("wallet_redis_memory_bytes", "of=used"), -1) > 0
        and samples.get(("wallet_disk_bytes", "of=free"), -1) > 0
        and samples.get(("wallet_currency_digits", "currency=KRW"), -1) == 2
        and samples.get(
            ("wallet_money_minor_units_total", "currency=KRW", "direction=in", "kind=bet", "provider=acme"), -1
        )
        == 0
        and samples.get(("wallet_anomalies_total", "provider=acme", "reason=conflict"), -1) == 0
        and samples.get(("wallet_shard_epoch", "shard=0"), -1) == 1
        and samples.get(("wallet_ledger_trial_balance_timestamp_seconds",), -1) > 0
    )


def _not_less(service: RunningService, before: Samples) -> Samples:
    after = scrape(service)
    assert {key: (value, after.get(key)) for key, value in counters(before).items() if after.get(key, -1) < value} == {}
    return after


def _is_ready(service: RunningService) -> bool:
    try:
        return get(f"{service.admin_url}/readyz")[0] == 200
    except OSError:
        return False


def _says_ready(path: Path) -> bool:
    return ask(path, "/readyz")[0] == 200


@pytest.mark.timeout(120)
def test_each_process_tells_about_itself_in_private(service: RunningService) -> None:
    """Alive and ready, at a socket that no other user can open; and nothing is left in the memory that all share."""
    directory = run_dir(service)
    assert directory.stat().st_mode & 0o777 == 0o700
    found = sorted(directory.glob("*.sock"))
    assert [path.name.partition("-")[0] for path in found] == ["admin", "supervisor", "worker", "worker", "writer"]
    for path in found:
        assert path.stat().st_mode & 0o777 == 0o600
        assert ask(path, "/livez") == (200, '{"status":"ok"}')
        wait_until(partial(_says_ready, path), LIMIT_S, f"{path.name} ready")
        assert "wallet_build_info" in ask(path, "/metrics")[1]
        pid = path.stem.partition("-")[2]
        assert SHARED_MEMORY not in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.timeout(120)
def test_a_worker_alone_can_be_probed_and_scraped(tmp_path: Path) -> None:
    """`wallet serve` without a parent, on TCP: alive, not ready without Redis, and what it has counted."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    with closing(socket.create_server(("127.0.0.1", 0))) as one, closing(socket.create_server(("127.0.0.1", 0))) as two:
        webhook, health = (str(each.getsockname()[1]) for each in (one, two))
    environ = environment(
        tmp_path, WALLET_REDIS_URL="redis://127.0.0.1:1/0", WALLET_WEBHOOK_PORT=webhook, WALLET_HEALTH_PORT=health
    )
    assert run(["init"], environ).returncode == 0
    url = f"http://127.0.0.1:{health}"

    def lives() -> bool:
        try:
            return get(f"{url}/livez") == (200, '{"status":"ok"}') and login(f"http://127.0.0.1:{webhook}") == Code.R1
        except OSError:
            return False

    with subprocess.Popen([*WALLET, "serve"], env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lives, LIMIT_S, "the worker")
            assert get(f"{url}/readyz")[0] == 503
            samples = read(get(f"{url}/metrics")[1])
            assert logins(samples) == 1
            assert samples["wallet_process_resident_memory_bytes", "role=worker"] > 10**6
            assert ask(load_settings(environ).run_dir / f"worker-{process.pid}.sock", "/livez")[0] == 200
            taken = run(["write"], environ)
            assert taken.returncode == 78
            assert taken.stderr.splitlines()[-1].startswith(f"wallet: WALLET_HEALTH_PORT: 127.0.0.1:{health} is taken")
            process.terminate()
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()
    assert not load_settings(environ).run_dir.exists()
