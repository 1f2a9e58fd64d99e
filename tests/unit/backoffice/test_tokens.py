"""Wrong admin tokens: counted, logged without the token, and checked more and more slowly for who sends them."""

from __future__ import annotations

import structlog

from seamless_wallet.backoffice.token_attempts import (
    SOURCES_MAX,
    WRONG_AT_ONCE,
    WRONG_EVERY_S,
    TokenAttempts,
)
from seamless_wallet.observability import metrics
from tests.unit.backoffice.doubles import TOKEN, slug

PATH = "/v1/trial-balance"


def refused(reason: str) -> float:
    """The counter of calls that were not let in."""
    return metrics.BACKOFFICE_UNAUTHORIZED.labels(reason).value


async def test_a_wrong_token_is_counted_and_logged_without_the_token(office):
    """Once for many, with where they came from; a request without any token is told apart."""
    before = {reason: refused(reason) for reason in ("missing", "wrong")}
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert (await office.call("GET", PATH, token="gu3ss"))[0] == 401
        assert (await office.call("GET", PATH, headers={"Authorization": ""}))[0] == 401
        assert (await office.call("GET", PATH))[0] == 200
    assert refused("wrong") == before["wrong"] + 3
    assert refused("missing") == before["missing"] + 1
    [line] = logs
    assert line == {
        "event": "admin_token_refused",
        "log_level": "warning",
        "source": "127.0.0.1",
        "suppressed": 0,
    }


async def test_who_guesses_is_slowed_down(office):
    """After some wrong tokens one a second is checked; the others get 429, the right token among them."""
    for _ in range(WRONG_AT_ONCE):
        assert (await office.call("GET", PATH, token="guess"))[0] == 401
    before = refused("throttled")
    for token in ("guess", TOKEN):
        status, headers, body = await office.call("GET", PATH, token=token)
        assert (status, slug(body)) == (429, "too-many-wrong-tokens")
        assert headers["Retry-After"] == "1"
    assert refused("throttled") == before + 2
    office.clock.seconds += WRONG_EVERY_S
    assert (await office.call("GET", PATH, token="guess"))[0] == 401
    assert (await office.call("GET", PATH, token="guess"))[0] == 429
    office.clock.seconds += WRONG_EVERY_S
    for _ in range(3):
        assert (await office.call("GET", PATH))[0] == 200


async def test_probes_and_callers_without_a_token_are_not_slowed_down(office):
    """A missing token is no guess, and what needs no token is always answered."""
    for _ in range(WRONG_AT_ONCE):
        await office.call("GET", PATH, token="guess")
        assert (await office.call("GET", PATH, headers={"Authorization": ""}))[0] in {401, 429}
    assert (await office.call("GET", "/livez"))[0] == 200
    assert (await office.call("GET", "/readyz"))[0] == 200


def test_a_source_pays_for_itself_only():
    """Another address is checked at once. An IPv6 network of 64 bits is one source, as one host may have it all."""
    attempts = TokenAttempts(lambda: 0.0)
    for number in range(WRONG_AT_ONCE):
        attempts.note_wrong(f"2001:db8::{number:x}")
        attempts.note_wrong("192.0.2.1")
    assert not attempts.may_try("192.0.2.1")
    assert attempts.may_try("192.0.2.2")
    assert not attempts.may_try("2001:db8::ffff")
    assert attempts.may_try("2001:db8:0:1::1")
    assert attempts.may_try(None)


def test_what_is_remembered_is_bounded():
    """Sources that are through are dropped first, then the oldest ones."""
    now_s = 0.0
    attempts = TokenAttempts(lambda: now_s)
    for number in range(3 * SOURCES_MAX):
        attempts.note_wrong(f"10.0.{number >> 8}.{number & 255}")
        assert len(attempts) <= SOURCES_MAX
    now_s = WRONG_AT_ONCE * WRONG_EVERY_S
    attempts.note_wrong("192.0.2.1")
    assert len(attempts) == 1
