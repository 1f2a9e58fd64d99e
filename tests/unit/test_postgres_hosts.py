"""Which host of a URL takes writes: none of them can keep the others from being asked."""

from __future__ import annotations

import asyncio

import pytest

from seamless_wallet.stores.postgres.hosts import NobodyAnswered, first_of, urls_of
from tests.simulation.test_seams import run


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("postgresql://u:p@one/db", ["postgresql://u:p@one/db"]),
        (
            "postgresql://u:p%40@one:1,two,[::1]:3/db?sslmode=require",
            [f"postgresql://u:p%40@{host}/db?sslmode=require" for host in ("one:1", "two", "[::1]:3")],
        ),
        (
            "postgresql://u@/db?host=%2Fa,%2Fb&port=1,2",
            ["postgresql://u@/db?host=%2Fa&port=1", "postgresql://u@/db?host=%2Fb&port=2"],
        ),
        ("postgresql://one,two/db?port=7", ["postgresql://one/db?port=7", "postgresql://two/db?port=7"]),
    ],
)
def test_each_host_has_a_url_of_its_own(url, urls):
    """With its port, and all else that the URL says."""
    assert urls_of(url) == urls


class Hosts:
    """What each does, after how many seconds; None: it never answers."""

    def __init__(self, **hosts: tuple[float | None, str]) -> None:
        self._hosts = hosts
        self.asked: list[str] = []
        self.abandoned: list[str] = []

    @property
    def url(self) -> str:
        return f"postgresql://{','.join(self._hosts)}/db"

    async def reach(self, url: str) -> str:
        host = url.removeprefix("postgresql://").removesuffix("/db")
        self.asked.append(host)
        after_s, says = self._hosts[host]
        await (asyncio.sleep(after_s) if after_s is not None else asyncio.Event().wait())
        if says == "no":
            raise OSError(f"{host} refuses")
        return host

    async def first(self) -> str:
        return await first_of(self.url, self.reach, self.abandoned.append, (OSError,))


def test_one_that_answers_is_enough():
    """No other is asked."""
    hosts = Hosts(one=(0.1, "yes"), two=(0, "yes"))
    assert run(hosts.first()) == "one"
    assert hosts.asked == ["one"]


@pytest.mark.parametrize("one", [(None, "yes"), (0.1, "no")], ids=["silent", "refuses"])
def test_the_next_one_is_asked(one):
    """Soon if the first is silent, at once if it refuses."""

    async def scenario() -> float:
        hosts = Hosts(one=one, two=(0.1, "yes"))
        assert await hosts.first() == "two"
        return asyncio.get_running_loop().time()

    assert run(scenario()) == pytest.approx(0.35 if one[0] is None else 0.2)


def test_one_that_is_late_is_abandoned():
    """Another one was used meanwhile, or at the same moment."""
    hosts = Hosts(one=(0.5, "yes"), two=(0.25, "yes"))
    assert {run(hosts.first()), *hosts.abandoned} == {"one", "two"}


def test_when_none_can_be_used_all_say_why():
    """In one line."""
    hosts = Hosts(one=(0.1, "no"), two=(0.5, "no"))
    with pytest.raises(NobodyAnswered, match="one refuses; two refuses"):
        run(hosts.first())
