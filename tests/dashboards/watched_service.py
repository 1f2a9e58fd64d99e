"""A service that a Prometheus watches while the simulator plays."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.service_process import WALLET, RunningService, wait_until
from tests.certificates import Authority
from tests.prometheus_server import Prometheus, running_prometheus

LIMIT_S = 120.0
PLAY = ("simulate", "--players", "40", "--concurrency", "8", "--chaos", "0.2", "--duplicates", "0.2", "--seed", "7")


class Watched(NamedTuple):
    """The service, who watches it, and since when."""

    service: RunningService
    prometheus: Prometheus
    since_s: float

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Have the simulator play beside the block."""
        environ = {**self.service.environ, **self.service.ports()}
        with subprocess.Popen(
            [*WALLET, *PLAY, "--rounds", "100000", "--retry-s", "60"],
            env=environ,
            cwd=self.service.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield
            finally:
                process.kill()


@contextmanager
def watched_service(directory: Path) -> Iterator[Watched]:
    """A service with two workers, scraped every three seconds, by HTTPS."""
    since_s = time.time()
    authority = Authority()
    cert, key = authority.signed().write(directory, "wallet")
    ca = directory / "ca.crt"
    ca.write_text(authority.cert)
    tls = {"WALLET_TLS_CERT_FILE": str(cert), "WALLET_TLS_KEY_FILE": str(key)}
    with RunningService(directory, WALLET_WORKERS="2", WALLET_VERIFY_EVERY_S="5", **tls) as service:
        target = service.admin_url.partition("://")[2]
        with running_prometheus(directory, target, ca) as prometheus:
            wait_until(lambda: bool(prometheus.query("wallet_ready")), LIMIT_S, "the first scrape")
            yield Watched(service, prometheus, since_s)
