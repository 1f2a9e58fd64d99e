"""What the cases wait for a wallet far away, none waits for the one in this process."""

from __future__ import annotations

import pytest

from seamless_wallet.conformance import case_events, case_player


@pytest.fixture(autouse=True)
def _the_wallet_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock is ours, and an R1 that will be another answer is one soon."""
    monkeypatch.setattr(case_player, "GRACE_MARGIN_S", 0.05)
    monkeypatch.setattr(case_events, "_PAUSES_S", (0.01, 0.03, 0.06))
