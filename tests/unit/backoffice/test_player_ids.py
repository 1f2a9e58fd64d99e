"""Every player that can be created can be shown and paid by every client."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from urllib.parse import quote

import aiohttp
import pytest

from seamless_wallet.clients.admin_api import AdminClient, AdminRefused
from tests.unit.backoffice.doubles import TOKEN, Office, fields, slug

IDS = (
    "a/b",
    "a%2Fb",
    "../ann",
    "ann/..",
    "./x",
    "...",
    "..;",
    "%2E%2E",
    "%2e",
    "\\..\\x",
    "a b+c?d#e&f=g",
    "안나😀",
    "//",
)
AUTHORIZATION = f"Bearer {TOKEN}"


def url_of(office: Office, user_id: str) -> str:
    """Where a player is, as every program writes it."""
    return f"{str(office.client.make_url('/')).rstrip('/')}/v1/players/{quote(user_id, safe='')}"


async def output_of(*command: str) -> str:
    """What a program prints. It runs in a thread, as the server is in this process."""
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, timeout=30, stdin=subprocess.DEVNULL
    )
    return done.stdout


async def by_our_client(office: Office, user_id: str) -> str:
    """As the simulator and conformance ask."""
    async with AdminClient(str(office.client.make_url("/")), TOKEN, patience_s=0) as admin:
        return (await admin.show(user_id)).user_id


async def by_our_command(office: Office, user_id: str) -> str:
    """`wallet player show`."""
    with tempfile.NamedTemporaryFile("w") as token:
        token.write(TOKEN)
        token.flush()
        where = ("--admin-url", str(office.client.make_url("/")), "--admin-token-file", token.name)
        command = (sys.executable, "-m", "seamless_wallet", "player", "show", "--json", *where, "--", user_id)
        return json.loads(await output_of(*command))["user_id"]


async def by_aiohttp(office: Office, user_id: str) -> str:
    """With the URL as a string, which yarl normalises."""
    headers = {"Authorization": AUTHORIZATION}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url_of(office, user_id)) as reply:
        return (await reply.json())["user_id"]


async def by_urllib(office: Office, user_id: str) -> str:
    """Python's own."""
    request = urllib.request.Request(url_of(office, user_id), headers={"Authorization": AUTHORIZATION})

    def read() -> bytes:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read()

    return json.loads(await asyncio.to_thread(read))["user_id"]


async def by_curl(office: Office, user_id: str) -> str:
    """Without --path-as-is."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    shown = await output_of("curl", "-sS", "-H", f"Authorization: {AUTHORIZATION}", url_of(office, user_id))
    return json.loads(shown)["user_id"]


async def by_fetch(office: Office, user_id: str) -> str:
    """The URL parser of browsers (WHATWG)."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    script = (
        "fetch(process.argv[1], {headers: {Authorization: process.argv[2]}})"
        ".then(reply => reply.text()).then(text => console.log(text))"
    )
    return json.loads(await output_of("node", "-e", script, url_of(office, user_id), AUTHORIZATION))["user_id"]


CLIENTS = (by_our_client, by_our_command, by_aiohttp, by_urllib, by_curl, by_fetch)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
async def test_every_player_is_found_by_every_client(office, client):
    """Slashes, dots, percent signs and whatever else an id may have, percent-encoded as one part of the path."""
    ids = IDS if client not in {by_our_command, by_fetch} else IDS[:4]  # a process takes its time
    for user_id in ids:
        assert (await office.create(user_id))[0] == 201
    assert [await client(office, user_id) for user_id in ids] == list(ids)


@pytest.mark.parametrize("user_id", [".", ".."])
async def test_a_player_whom_no_client_could_find_is_not_created(office, user_id):
    """400, which names the field and says why; our own client is told, and calls no other path for such an id."""
    status, _, body = await office.create(user_id)
    assert (status, slug(body), fields(body)) == (400, "invalid-request", ["user_id"])
    assert body["detail"] == "user_id: must not be . or .., which no client can send in a path; choose another id"
    async with AdminClient(str(office.client.make_url("/")), TOKEN, patience_s=0) as admin:
        with pytest.raises(AdminRefused, match=r"user_id: must not be \. or \.\.") as refused:
            await admin.create(user_id, "KRW")
        assert refused.value.status == 400
        for call in (admin.show(user_id), admin.deposit(user_id, "1"), admin.set_status(user_id, "blocked")):
            with pytest.raises(AdminRefused) as refused:
                await call
            assert (refused.value.status, refused.value.kind) == (404, "unknown-player")
    assert office.ledger.players == {}
