"""SEMANTICS: Login, logout, and what is judged of the player and its currency before anything else."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from tests.lua.driver import NOW, Player
from tests.lua.expect import sessions
from tests.lua.scene import event_of


def test_row_20_login_opens_a_session(newcomer):
    """R0 with the balance; the session has the provider's time and ours."""
    newcomer.create().ok()
    newcomer.deposit(700).ok()
    newcomer.login(at=NOW - 5).done("login", balance=700, wallet=sessions(NOW - 5, NOW))


def test_row_20_login_renews_a_session(player):
    """A later login counts from its own time."""
    player.shard.wait(1_000)
    player.login().done("login", balance=10_000, wallet=sessions(NOW + 1_000, NOW + 1_000))


def test_row_20_login_delivered_late(player):
    """A login older than the newest keeps the newest login's time, and renews by our clock."""
    player.shard.wait(1_000)
    player.login(at=NOW - 60_000).done("login", balance=10_000, wallet=sessions(NOW, NOW + 1_000))


def test_row_20_our_clock_set_back(player):
    """A session is never shortened by a worker whose clock is behind."""
    player.shard.wait(-5_000)
    player.login().done("login", balance=10_000, wallet=sessions(NOW, NOW))


def test_row_20_login_after_logout_opens_again(player):
    """The session is open, not closed."""
    player.logout(at=NOW + 1).ok()
    player.login(at=NOW + 2).done("login", balance=10_000, wallet=sessions(NOW + 2, NOW))


def test_row_20_one_session_per_provider(player):
    """Another provider's login leaves the first session as it is."""
    other = Player(player.shard, provider="other")
    other.login(at=NOW + 9).done("login", balance=10_000, wallet=sessions(NOW + 9, NOW, provider="other"))
    other.logout(at=NOW + 10).done("logout", balance=10_000, wallet=sessions(NOW + 9, NOW, NOW, provider="other"))


@pytest.mark.parametrize("kind", list(Kind))
def test_row_21_unknown_player(newcomer, kind):
    """MISS and nothing stored: SQL is asked, and R3 is answered if it knows none."""
    event = event_of(newcomer, kind)
    step = newcomer.shard.send(event)
    if kind is Kind.CREATE:
        step.ok()
    else:
        step.answered("MISS")


def test_row_22_login_of_a_blocked_player(player):
    """R1; decided afresh once the player is unblocked."""
    player.block().ok()
    login = player.login().declined("R1", "blocked")
    player.unblock().ok()
    login.again().done("login", balance=10_000, wallet=sessions(NOW, NOW))


def test_row_23_logout(player):
    """R0; the session is closed by our clock."""
    player.shard.wait(500)
    player.logout(at=NOW + 300).done("logout", balance=10_000, wallet=sessions(NOW, NOW, NOW + 500))


def test_row_23_logout_twice(player):
    """R0; the first logout counts."""
    player.logout(at=NOW + 1).ok()
    player.shard.wait(60_000)
    player.logout().done("repeated", balance=10_000)


def test_row_23_logout_without_a_session(newcomer):
    """R0 with an entry, no session appears."""
    newcomer.create().ok()
    newcomer.logout().done("repeated", balance=0)


def test_row_23_logout_of_a_blocked_player(player):
    """Leaving is always possible."""
    player.block().ok()
    player.logout(at=NOW + 1).done("logout", balance=10_000, wallet=sessions(NOW, NOW, NOW))


@pytest.mark.parametrize("age_ms", [0, 1, 3_600_000])
def test_row_24_logout_not_newer_than_the_login(player, age_ms):
    """R0, the session stays open: the logout belongs to an earlier session."""
    player.logout(at=NOW - age_ms).done("repeated", balance=10_000)
    player.bet(b1=1).ok()


@pytest.mark.parametrize(
    ("ahead_ms", "counted_ms"), [(299_999, 299_999), (300_000, 300_000), (31_536_000_000, 300_000)]
)
def test_row_24_a_login_counts_as_at_most_five_minutes_ahead(player, ahead_ms, counted_ms):
    """By our clock. A login that is stamped a year ahead can be logged out, too."""
    login = NOW + counted_ms
    player.login(at=NOW + ahead_ms).done("login", balance=10_000, wallet=sessions(login, NOW))
    player.logout(at=login).done("repeated", balance=10_000)
    player.logout(at=login + 1).done("logout", balance=10_000, wallet=sessions(login, NOW, NOW))


def test_row_24_a_login_far_ahead_sets_nothing_back(player):
    """What the newest login counts as stays the newest."""
    player.login(at=NOW + 10 * 60_000).done("login", balance=10_000, wallet=sessions(NOW + 300_000, NOW))
    player.shard.wait(-60_000)
    player.login(at=NOW + 10 * 60_000).done("login", balance=10_000, wallet=sessions(NOW + 300_000, NOW))
    player.shard.wait(120_000)
    later = NOW + 60_000
    player.login(at=NOW + 10 * 60_000).done("login", balance=10_000, wallet=sessions(later + 300_000, later))


def test_row_17_wrong_currency(player):
    """R3 for each event that names one; not stored."""
    for step in (
        player.bet(b1=100, currency="USD"),
        player.cancel(b1=100, currency="USD"),
        player.result(b1=(100, 5), currency="USD"),
        player.change(b1=(100, 5, 6), currency="USD"),
    ):
        step.declined("R3", "currency")


def test_row_17_comes_before_the_state_of_the_bets(player):
    """Wrong currency and a cancelled bet: the currency is judged first."""
    player.tombstone(b1=100)
    player.bet(b1=100, currency="USD").declined("R3", "currency")


def test_status(player):
    """Block and unblock are entries; doing it twice changes nothing."""
    player.block().done("status", balance=10_000, wallet={"status": "blocked"})
    player.block().done("status", balance=10_000, wallet={"status": "blocked"})
    player.unblock().done("status", balance=10_000, wallet={"status": "active"})
