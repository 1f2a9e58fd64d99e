"""Run commands of the program against a wallet of another make, from a directory without any settings."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.reference_wallet import Endpoint

HOOK = """\
import json, sys, urllib.error, urllib.request
url, cannot, action, user, *rest = sys.argv[1:]
if action == cannot:
    sys.exit(69)
asked = {"action": action, "user_id": user, "currency": rest[-1] if rest else "", "amount": rest[0] if rest[1:] else ""}
try:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(asked).encode(), method="POST")) as reply:
        print(reply.read().decode())
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
"""


def hook_of(directory: Path, url: str, cannot: str = "-") -> str:
    """A command line that speaks to the back office of a reference wallet, and lacks one action."""
    script = directory / "hook.py"
    script.write_text(HOOK)
    return f"{sys.executable} '{script}' {url.replace('/webhook/ref', '/back-office')} {cannot}"


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[str]:
    """Its URL, served by a thread."""
    started, loop, urls = threading.Event(), asyncio.new_event_loop(), []
    ended = asyncio.Event()

    async def serve() -> None:
        async with endpoint.serving() as url:
            urls.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
