from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.observability.logs import render

KEY = "k3y-of-32-bytes-for-tests-only!!"


@dataclass
class WithSecret:
    """A value with a part that its repr leaves out."""

    name: str
    key: str = field(repr=False)


class WithoutRepr:
    """A value that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


def logged(script: str, **environ: str) -> list[dict]:
    """What a process that is configured as all of ours writes to standard error: every line is JSON."""
    prelude = """
        import asyncio, logging, os
        import structlog
        from seamless_wallet.observability import logs
        logs.configure_logging("INFO")
        log = structlog.get_logger()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(script)],
        env=os.environ | environ,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == b""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_exception_never_carries_the_locals_of_its_frames():
    """A key that is a local variable stays out of the log; where it happened is there."""
    [line] = logged(
        f"""
        def inner(api_key):
            secret = api_key * 2
            raise KeyError("what")
        try:
            inner("{KEY}")
        except KeyError:
            log.exception("failed")
        """
    )
    assert line["event"] == "failed"
    assert [frame["name"] for frame in line["exception"][0]["frames"]] == ["<module>", "inner"]
    assert KEY not in str(line)
    assert "locals" not in str(line)


def test_what_libraries_log_is_a_line_like_ours():
    """aiohttp, asyncio and any other: JSON, with the traceback inside and without locals."""
    lines = logged(
        f"""
        def inner(api_key):
            raise ValueError("what")
        try:
            inner("{KEY}")
        except ValueError:
            logging.getLogger("aiohttp.server").exception("Error handling request from %s", "192.0.2.1")
        logging.getLogger("any").warning("two\\nlines")
        logging.getLogger("any").error("%s and %s", "one")
        logging.getLogger("any").exception("nothing happened")
        logging.getLogger("any").info("chatter")

        async def fail(api_key):
            raise LookupError("x")
        async def main():
            task = asyncio.create_task(fail("{KEY}"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            del task
        asyncio.run(main())
        """
    )
    assert {line["event"] for line in lines} == {"library_message"}
    assert [(line["logger"], line["level"], line["message"].partition("\n")[0]) for line in lines] == [
        ("aiohttp.server", "error", "Error handling request from 192.0.2.1"),
        ("any", "warning", "two"),
        ("any", "error", "%s and %s"),
        ("any", "error", "nothing happened"),
        ("asyncio", "error", "Task exception was never retrieved"),
    ]
    assert lines[0]["exception"][0]["exc_type"] == "ValueError"
    assert lines[-1]["exception"][0]["exc_type"] == "LookupError"
    assert KEY not in str(lines)


def test_an_event_that_cannot_be_logged_as_it_is_leaves_a_line_and_raises_nothing():
    """A traceback that cannot be made, a value that cannot even be turned into text."""
    lines = logged(
        """
        class Broken(Exception):
            @property
            def __cause__(self):
                raise RuntimeError
        class Unprintable:
            def __repr__(self):
                raise RuntimeError
        try:
            raise Broken
        except Broken:
            log.exception("failed", value=1)
        log.warning("shown", value=Unprintable())
        """
    )
    assert [line["event"] for line in lines] == ["failed", "shown"]
    assert lines[0]["unloggable"] == "RuntimeError"
    assert lines[1]["value"] == "<Unprintable>"


def test_whatever_is_printed_goes_the_way_of_the_log():
    """By a library, by Python itself, from a thread; a warning is an event of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import sys, threading, warnings
                from seamless_wallet.observability import logs
                logs.redirect_output()
                logs.configure_logging("INFO", "test")
                writers = []
                for writer, name in ((logs.STDOUT, "out"), (logs.STDERR, "err")):
                    def write(line, old=writer.write, name=name):
                        writers.append(name)
                        old(line)
                    writer.write = write
                print("printed", "in", "parts")
                print("to stderr", file=sys.stderr)
                sys.stderr.buffer.write(b"as bytes\\n")
                warnings.warn("a warning")
                thread = threading.Thread(target=lambda: 1 / 0)
                thread.start()
                thread.join()
                assert writers[:4] == ["out", "err", "err", "err"], writers
                sys.stderr.write("without an end")
                raise LookupError("at the end")
                """
            ),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == "printed in parts\n"
    lines = done.stderr.splitlines()
    assert lines[:2] == ["to stderr", "as bytes"]
    assert json.loads(lines[2])["logger"] == "py.warnings"
    assert "ZeroDivisionError: division by zero" in lines
    assert lines[-1] == "LookupError: at the end"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_lines_of_several_processes_are_never_mixed(unbuffered):
    """Each line is one write, also where Python does not buffer."""
    lines = logged(
        """
        for _ in range(7):
            if os.fork() == 0:
                break
        for n in range(400):
            log.info("event", pid=os.getpid(), n=n, fill="x" * 500)
        try:
            while True:
                os.wait()
        except ChildProcessError:
            pass
        logs.STDERR.flush(20)
        os._exit(0)
        """,
        PYTHONUNBUFFERED=unbuffered,
    )
    assert len(lines) == 8 * 400
    assert len({line["pid"] for line in lines}) == 8


def test_a_line_is_one_write():
    """Counted at a datagram socket, which keeps each write apart."""
    [one, two] = logged(
        """
        import socket
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        shown = os.dup(2)
        os.dup2(theirs.fileno(), 2)
        log.info("one", text="x" * 20_000)
        log.info("two")
        for _ in range(2):
            got = ours.recv(100_000)
            assert got.endswith(b"\\n"), got
            os.write(shown, got)
        """,
        PYTHONUNBUFFERED="1",
    )
    assert (one["event"], two["event"]) == ("one", "two")


def rendered(**event) -> dict:
    """What stands in the log of one event: one line, of valid UTF-8 and JSON."""
    line = render(event)
    assert b"\n" not in line
    return json.loads(line)


CIRCULAR: dict = {}
CIRCULAR["itself"] = CIRCULAR


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\xff", repr(b"\xff")),
        ({1}, "{1}"),
        (ValueError("x"), "ValueError('x')"),
        (2**64, str(2**64)),
        ("a\ud800z", "a\\ud800z"),
        (["a\ud800z"], "['a\\ud800z']"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (CIRCULAR, "{'itself': {...}}"),
        (WithoutRepr(), "<WithoutRepr>"),
        ([WithoutRepr()], "<list>"),
        ("two\nlines", "two\nlines"),
        (None, None),
        ({"a": [1, 2.5, True]}, {"a": [1, 2.5, True]}),
        ({EpochCause.SERVER: 16}, {"server": 16}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_value_can_be_logged_and_costs_no_other_field(value, shown):
    """What JSON cannot hold becomes text, and nothing is raised."""
    assert rendered(event="e", value=value, other=[1]) == {"event": "e", "value": shown, "other": [1]}


def test_what_a_repr_hides_stays_hidden():
    """A dataclass is not taken apart, and a secret text is not shown."""
    shown = rendered(event="e", provider=WithSecret("acme", KEY), token=SecretStr(KEY), surrogate="\ud800")
    assert shown["provider"] == "WithSecret(name='acme')"
    assert KEY not in str(shown)
