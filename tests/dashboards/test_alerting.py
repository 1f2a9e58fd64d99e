"""A fault of a running service becomes an alert of a real Prometheus, and goes away with the fault."""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.service_process import wait_until
from tests.dashboards.watched_service import LIMIT_S, watched_service


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_writer_that_is_stopped_is_an_alert_until_it_goes_on(tmp_path):
    """Entries get old, the component is not ready, the process does not answer. The parent is stopped, too: it
    would replace the writer.
    """
    with watched_service(tmp_path) as watched:
        prometheus = watched.prometheus
        wait_until(lambda: prometheus.alerts() == {}, LIMIT_S, "a quiet beginning")
        stopped = [watched.service.process.pid, watched.service.pid("writer")]
        with watched.playing():
            wait_until(lambda: bool(prometheus.query("wallet_writer_lag_entries > 0")), LIMIT_S, "play")
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            try:
                expected = {"WalletUnpersistedEntryOld", "WalletNotReady", "WalletProcessDown"}
                wait_until(lambda: expected <= set(prometheus.alerts()), LIMIT_S, "the alerts")
            finally:
                for pid in reversed(stopped):
                    os.kill(pid, signal.SIGCONT)
            wait_until(lambda: not expected & set(prometheus.alerts()), LIMIT_S, "the end of the alerts")
