"""What became of a reload is told by the log and by a metric."""

from __future__ import annotations

from structlog.testing import capture_logs

from seamless_wallet.errors import SettingsError
from seamless_wallet.observability import metrics
from seamless_wallet.settings import Settings
from seamless_wallet.supervisor.reload_outcome import report_refused, report_reloaded


def test_a_refused_reload_is_told_until_one_is_taken():
    """Until then the settings before are in force, whatever is in the file."""
    refused, settings = metrics.RELOAD_REFUSED.labels(), Settings()
    with capture_logs() as lines:
        report_refused(SettingsError("workers: wrong"))
        assert refused.value == 1
        report_reloaded(settings, settings, settings)
        assert refused.value == 0
    assert [line["event"] for line in lines] == ["reload_refused", "reloaded"]
