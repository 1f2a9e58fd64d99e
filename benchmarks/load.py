"""A closed-loop HTTP load on loopback: raw sockets, prepared requests, little CPU of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Target(NamedTuple):
    """A server under load: its port, the process whose CPU counts, the prepared requests."""

    port: int
    pid: int
    requests: list[bytes]


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


async def drive(targets: Sequence[Target], in_flight: int) -> list[Sample]:
    """Send everything over `in_flight` clients; each sends one request to each target in turn and awaits the answers.

    So all targets see the same rate at the same time, on equally busy cores and equally cold caches, and their CPU
    can be compared. One sample a target.
    """
    turns = iter(list(zip(*(target.requests for target in targets), strict=True)))
    before_s, start_s = [cpu_s(target.pid) for target in targets], time.perf_counter()
    answers = await asyncio.gather(*(_client([target.port for target in targets], turns) for _ in range(in_flight)))
    seconds = time.perf_counter() - start_s
    samples = []
    for number, target in enumerate(targets):
        used_s = cpu_s(target.pid) - before_s[number]
        bodies = [turn[number] for client in answers for turn in client]
        samples.append(Sample(len(bodies), seconds, used_s / len(bodies) * 1e6, bodies))
    return samples


async def _client(ports: Sequence[int], turns: Iterator[tuple[bytes, ...]]) -> list[list[bytes]]:
    connections = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
    answers = [
        [await ask(*connection, request) for connection, request in zip(connections, turn, strict=True)]
        for turn in turns
    ]
    for _, writer in connections:
        writer.close()
        await writer.wait_closed()
    return answers


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """One request on a connection, and the body of the answer."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode(errors="replace"))
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)
