"""The lines of a call have its request id and its trace, and nobody else's."""

from __future__ import annotations

import re

import pytest

from seamless_wallet.observability.call_context import CallContext
from tests.unit.test_logging import logged

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def fields(**headers: str) -> dict[str, str]:
    """What a line says of a call with these headers."""
    return dict(CallContext({name.replace("_", "-"): value for name, value in headers.items()}).fields)


def test_a_request_id_is_taken_as_it_is():
    """And stays the same."""
    context = CallContext({"X-Request-Id": "abc-1/2"})
    assert context.request_id == context.fields["request_id"] == "abc-1/2"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\tb"])
def test_an_unfit_one_is_replaced(given):
    """By one of ours, which stays the same."""
    context = CallContext({"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{16}", context.request_id)
    assert context.request_id == context.request_id


def test_a_traceparent_is_read():
    """Trace and span; of a later version, too, with what that adds."""
    for text in (f"00-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-00-more"):
        found = fields(traceparent=text)
        assert (found["trace_id"], found["parent_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_a_wrong_traceparent_says_nothing(text):
    """As the specification wants."""
    assert set(fields(traceparent=text)) == {"request_id"}


def test_lines_of_a_task_belong_to_its_call():
    """Also those of what it awaits; a line of no call names none; other headers stay out."""
    lines = logged(
        f"""
        from seamless_wallet.observability.call_context import begin_call

        async def deeper():
            await asyncio.sleep(0)
            log.warning("deep")

        async def call(name):
            begin_call({{"X-Request-Id": name, "traceparent": "00-{TRACE}-{SPAN}-01", "Api-Key": "s3cret"}})
            await deeper()

        async def main():
            log.warning("before")
            await asyncio.gather(call("one"), call("two"))
            log.warning("after")

        asyncio.run(main())
        """
    )
    assert [line.get("request_id") for line in lines] == [None, "one", "two", None]
    assert [line.get("trace_id") for line in lines] == [None, TRACE, TRACE, None]
    assert "s3cret" not in str(lines)
