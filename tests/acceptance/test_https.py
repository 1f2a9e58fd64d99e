"""HTTPS on both ports of a whole service: new certificates without a lost call, plain HTTP only where it is allowed."""

from __future__ import annotations

import json
import signal
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.tls import client_context, expiry_s
from tests.acceptance.calls import Load, free_port
from tests.acceptance.service_process import CONFIG, RunningService, environment, run, wait_until
from tests.certificates import Authority

LIMIT_S = 60.0
ANYWHERE = "0.0.0.0"  # noqa: S104 - it is refused
TLS = 'tls_cert_file = "wallet.crt"\ntls_key_file = "wallet.key"\n' + CONFIG
AUTHORITY = Authority()

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Two workers, a certificate for 40 days, and a player who may log in."""
    directory = tmp_path_factory.mktemp("https")
    AUTHORITY.signed(days=40).write(directory, "wallet")
    (directory / "ca.crt").write_text(AUTHORITY.cert)
    with RunningService(directory, config=TLS, WALLET_WORKERS="2") as service:
        created = service.wallet("player", "create", "ann", "KRW")
        assert created.returncode == 0, created.stderr
        yield service


def lines(service: RunningService, event: str) -> list[dict[str, str]]:
    """The lines of the log that have this event."""
    found = []
    for line in service.log.read_text().splitlines():
        with suppress(ValueError):
            told = json.loads(line)
            if told.get("event") == event:
                found.append(told)
    return found


def reload(service: RunningService, outcome: str) -> dict[str, str]:
    """Send SIGHUP, and wait for the one line that says what became of it."""
    before = len(lines(service, outcome))
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(lines(service, outcome)) > before, LIMIT_S, outcome)
    return lines(service, outcome)[-1]


def served_by(url: str) -> int:
    """The serial number of the certificate that a port serves now."""
    parts = urlsplit(url)
    with closing(HTTPSConnection(parts.netloc, timeout=20, context=client_context(AUTHORITY.cert))) as connection:
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        found = connection.sock.getpeercert()
        assert found is not None
        return int(str(found["serialNumber"]), 16)


def metric(service: RunningService, name: str) -> list[float]:
    """The values of a metric, whatever its labels are."""
    with urllib.request.urlopen(f"{service.admin_url}/metrics", context=client_context(AUTHORITY.cert)) as reply:
        told = reply.read().decode().splitlines()
    return [float(line.rpartition(" ")[2]) for line in told if line.startswith(name)]


def test_commands_of_this_machine_know_the_certificate(service: RunningService) -> None:
    """They read it in the settings, so it may have any name, and be of any authority."""
    assert service.webhook_url.startswith("https://")
    played = service.wallet("simulate", "--players", "2", "--rounds", "2", "--seed", "1")
    assert played.returncode == 0, played.stderr
    assert "every answer was right" in played.stdout


def test_a_client_elsewhere_trusts_the_authority(service: RunningService) -> None:
    """Named by `--ca-file`. Without it one line says what is missing."""
    token = service.directory / "var" / "admin.token"
    command = ("player", "show", "ann", "--admin-url", service.admin_url, "--admin-token-file", str(token))
    shown = service.wallet(*command, "--ca-file", str(service.directory / "ca.crt"))
    assert shown.returncode == 0, shown.stderr
    refused = service.wallet(*command)
    assert refused.returncode == 1
    assert "its certificate is not trusted" in refused.stderr
    assert "--ca-file" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_the_metric_tells_when_the_certificate_expires(service: RunningService) -> None:
    """That of both ports."""
    expiry = expiry_s((service.directory / "wallet.crt").read_text())
    told = metric(service, "wallet_tls_certificate_expiry_timestamp_seconds{")
    assert told == [expiry, expiry]


def test_a_renewed_certificate_is_taken_under_load_and_a_bad_one_is_not(service: RunningService) -> None:
    """No call goes without an answer. What is wrong is one line, and changes nothing."""
    before = served_by(service.webhook_url)
    cert, key = service.directory / "wallet.crt", service.directory / "wallet.key"
    with Load(service.webhook_url, tls=client_context(AUTHORITY.cert)) as load:
        wait_until(lambda: load.codes.total() > 50, LIMIT_S, "the load")
        AUTHORITY.signed(days=60).write(service.directory, "wallet")
        assert "tls_cert" in reload(service, "reloaded")["changed"]
        renewed = {served_by(service.webhook_url), served_by(service.admin_url)}
        assert len(renewed) == 1
        assert before not in renewed
        so_far = load.codes.total()
        wait_until(lambda: load.codes.total() > so_far + 50, LIMIT_S, "more of the load")
        good = key.read_text()
        key.write_text(AUTHORITY.signed().key)
        told = reload(service, "reload_refused")["error"]
        assert "does not belong to the certificate" in told
        assert "PRIVATE" not in told
        cert.write_text("nonsense")
        assert "is no certificate in PEM" in reload(service, "reload_refused")["error"]
        assert {served_by(service.webhook_url), served_by(service.admin_url)} == renewed
    assert good != key.read_text()
    assert (load.faults, set(load.codes)) == ([], {Code.R0})
    assert lines(service, "library_message") == []


def test_plain_http_is_refused_where_the_network_could_read_it(tmp_path: Path) -> None:
    """One line that says what to do. With `behind-proxy` the service would start."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    environ = environment(tmp_path, WALLET_ADMIN_HOST=ANYWHERE, WALLET_ADMIN_PORT=free_port())
    done = run(("up",), environ)
    assert (done.returncode, len(done.stderr.splitlines())) == (78, 1)
    for part in ("admin_host", ANYWHERE, "WALLET_TLS_CERT_FILE", "WALLET_PLAIN_HTTP=behind-proxy"):
        assert part in done.stderr
    allowed = run(("config", "check"), {**environ, "WALLET_PLAIN_HTTP": "behind-proxy"})
    assert allowed.returncode == 0, allowed.stderr
