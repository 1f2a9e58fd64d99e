"""URLs that name several hosts, whichever release of Python reads them."""

from __future__ import annotations

import pytest

from seamless_wallet.postgres_urls import split_postgres_url


@pytest.mark.parametrize("hosts", ["one", "one:1,two", "one:1,[::1]:3", "[::1],[::2]:3,four", ""])
@pytest.mark.parametrize("user", ["", "u:p%40@"])
def test_the_hosts_are_kept_as_they_are_written(hosts, user):
    """And so is all else"""
    parts = split_postgres_url(f"postgresql://{user}{hosts}/db?sslmode=require")
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == (
        "postgresql",
        f"{user}{hosts}",
        "/db",
        "sslmode=require",
    )


@pytest.mark.parametrize("url", ["postgresql://one,[::1/db", "postgresql://u:p[@one/db", "postgresql://one,two]/db"])
def test_a_bracket_without_its_other_one_is_refused(url):
    """The client of PostgreSQL would fail on it with an error of its own"""
    with pytest.raises(ValueError, match="IPv6"):
        split_postgres_url(url)
