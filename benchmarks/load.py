"""A closed-loop HTTP load on loopback: raw sockets, prepared requests, little CPU of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Sample(NamedTuple):
    """One measured run."""

    requests: int
    seconds: float
    cpu_us_per_request: float
    bodies: list[bytes]


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One HTTP/1.1 request as it goes on the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def cpu_s(pid: int) -> float:
    """User and system seconds that a process has used, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def drive(port: int, requests: list[bytes], in_flight: int, pid: int) -> Sample:
    """Send all requests over `in_flight` connections, each waiting for its answer; measure the CPU of `pid`."""
    remaining = iter(requests)
    before_s, start_s = cpu_s(pid), time.perf_counter()
    answers = await asyncio.gather(*(_client(port, remaining) for _ in range(in_flight)))
    seconds, used_s = time.perf_counter() - start_s, cpu_s(pid) - before_s
    bodies = [body for client in answers for body in client]
    return Sample(len(bodies), seconds, used_s / len(bodies) * 1e6, bodies)


async def _client(port: int, remaining: Iterator[bytes]) -> list[bytes]:
    bodies = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in remaining:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode(errors="replace"))
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        bodies.append(await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()
    return bodies
