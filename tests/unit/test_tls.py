"""HTTPS: what is served, who is let in, how long a handshake may take, and what certificates are refused."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import warnings
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import wraps

import aiohttp
import pytest
import uvloop
from aiohttp import web

from seamless_wallet.errors import SettingsError
from seamless_wallet.http_server import serving, tls_acceptor
from seamless_wallet.http_server.listener import bind_listener, check_plain_http, url_of
from seamless_wallet.http_server.serving import application, prepare_server
from seamless_wallet.observability import metrics
from seamless_wallet.processes.http_service import ListeningSocket
from seamless_wallet.tls import client_context, expiry_s, is_loopback, pinned_context, server_context
from tests.certificates import Authority
from tests.integration.waiting import until

AUTHORITY = Authority()
PAIR = AUTHORITY.signed()
STRANGER = Authority("somebody else")


def on_uvloop(test):
    """Runs a test on the loop of the service: its TLS is not that of asyncio."""

    @wraps(test)
    def run(*values, **named):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test(*values, **named))

    return run


async def answer(request: web.Request) -> web.Response:
    """Whether the request came over TLS."""
    return web.Response(text=request.scheme)


@asynccontextmanager
async def served(context: ssl.SSLContext | None = None, connections_max: int = 100):
    """A server with TLS, and its URL."""
    app = application("webhook", body_bytes_max=1_000)
    app.router.add_post("/", answer)
    async with AsyncExitStack() as stack:
        listener = bind_listener("127.0.0.1", 0, "WALLET_WEBHOOK")
        tls = context or server_context(PAIR.cert, PAIR.key)
        server = await prepare_server(stack, app, listener, connections_max=connections_max, tls=tls)
        await server.accept()
        yield server, url_of(listener, "https"), listener.getsockname()


async def posted(url: str, tls: ssl.SSLContext) -> str:
    """The answer to one call."""
    async with aiohttp.ClientSession() as session, session.post(url, ssl=tls) as reply:
        return await reply.text()


def failed() -> float:
    """Handshakes of this server that failed."""
    return metrics.TLS_HANDSHAKES_FAILED.labels("webhook").value


@pytest.mark.parametrize("trusting", [lambda: client_context(AUTHORITY.cert), lambda: pinned_context(PAIR.cert)])
@on_uvloop
async def test_who_trusts_the_authority_or_knows_the_certificate_is_answered(trusting):
    """Over TLS, and the connection is counted until its end."""
    async with served() as (server, url, _):
        assert await posted(url, trusting()) == "https"
        await until(lambda: server.connections == 0)


@pytest.mark.parametrize(
    "trusting", [lambda: client_context(STRANGER.cert), lambda: pinned_context(STRANGER.signed().cert)]
)
@on_uvloop
async def test_who_knows_another_certificate_does_not_call(trusting):
    """A client checks the server, and a handshake that it breaks off is counted."""
    async with served() as (server, url, _):
        before = failed()
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await posted(url, trusting())
        await until(lambda: failed() > before and server.connections == 0)


@pytest.mark.parametrize(
    ("newest", "ciphers", "passes"),
    [
        (ssl.TLSVersion.TLSv1_3, "", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA", False),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
    ],
)
@on_uvloop
async def test_only_versions_and_ciphers_that_are_good_today_are_spoken(newest, ciphers, passes):
    """TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3."""
    context = client_context(AUTHORITY.cert)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of the version
        context.maximum_version = newest
    if newest == ssl.TLSVersion.TLSv1_1:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if ciphers:
        context.set_ciphers(ciphers)
    async with served() as (_, url, _):
        if passes:
            assert await posted(url, context) == "https"
        else:
            with pytest.raises(aiohttp.ClientConnectorError):
                await posted(url, context)


@on_uvloop
async def test_the_protocol_is_agreed_on():
    """By ALPN. Who offers only others is served all the same, as long as HTTP/1.1 comes."""
    context = client_context(AUTHORITY.cert)
    for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None)):
        context.set_alpn_protocols(offered)
        async with served() as (_, _, address):
            reader, writer = await asyncio.open_connection(*address, ssl=context)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed
            writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            writer.close()


@on_uvloop
async def test_a_client_needs_a_certificate_if_one_is_asked_for():
    """One that the given authority has signed."""
    context = server_context(PAIR.cert, PAIR.key, AUTHORITY.cert)
    ours, other = AUTHORITY.signed("provider"), STRANGER.signed("provider")
    async with served(context) as (_, url, _):
        assert await posted(url, client_context(AUTHORITY.cert, ours.cert + ours.key)) == "https"
        for identity in ("", other.cert + other.key):
            with pytest.raises(aiohttp.ClientError):
                await posted(url, client_context(AUTHORITY.cert, identity))


@on_uvloop
async def test_who_does_not_shake_hands_is_counted_and_let_go(monkeypatch, caplog):
    """Silent, speaking plain HTTP, or gone: nobody holds a connection for longer than a handshake may take. No line of
    the log tells of them.
    """
    async with served() as (server, url, address):
        before = failed()
        with monkeypatch.context() as context:
            context.setattr(tls_acceptor, "HANDSHAKE_S", 0.2)
            silent = [await asyncio.open_connection(*address) for _ in range(3)]
            for reader, writer in silent:
                assert await reader.read() == b""
                writer.close()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\n\r\n")
        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
        _, writer = await asyncio.open_connection(*address)
        writer.close()
        await until(lambda: server.connections == 0 and failed() == before + 5)
        assert await posted(url, client_context(AUTHORITY.cert)) == "https"
        await until(lambda: server.connections == 0)
    assert caplog.records == []


@on_uvloop
@pytest.mark.parametrize("sent", [b"\x17\x03\x03\x00\x05wrong", b"nonsense after the handshake", b""])
async def test_who_breaks_a_secured_connection_leaves_no_line(caplog, sent):
    """What is no record of TLS, and an end without a farewell: the connection is closed, and the others are served."""
    async with served() as (server, url, address):
        raw = await asyncio.to_thread(socket.create_connection, address)
        secured = await asyncio.to_thread(client_context(AUTHORITY.cert).wrap_socket, raw, server_hostname="localhost")
        await until(lambda: server.connections == 1)
        with socket.socket(fileno=secured.detach()) as broken:
            if sent:
                broken.send(sent)
                await until(lambda: server.connections == 0)
        await until(lambda: server.connections == 0)
        assert await posted(url, client_context(AUTHORITY.cert)) == "https"
    assert caplog.records == []


@on_uvloop
async def test_a_connection_counts_before_its_handshake():
    """One too many is closed at once, and those that are let in take its place when others go."""
    refused = metrics.HTTP_CONNECTIONS_REFUSED.labels("webhook")
    async with served(connections_max=2) as (server, url, address):
        before = refused.value
        silent = [await asyncio.open_connection(*address) for _ in range(2)]
        await until(lambda: server.connections == 2)
        one_more, writer = await asyncio.open_connection(*address)
        assert await one_more.read() == b""
        writer.close()
        assert (refused.value, server.connections) == (before + 1, 2)
        for _, writer in silent:
            writer.close()
        await until(lambda: server.connections == 0)
        assert await posted(url, client_context(AUTHORITY.cert)) == "https"


@on_uvloop
async def test_a_machine_without_files_is_asked_again_later(monkeypatch):
    """And not without a pause: the connection that waits would keep the loop busy."""
    monkeypatch.setattr(tls_acceptor, "SHORTAGE_S", 0.1)
    accepted, tried = socket.socket.accept, []

    def accept(listener):
        tried.append(listener)
        if len(tried) == 1:
            raise OSError(errno.EMFILE, "too many open files")
        return accepted(listener)

    async with served() as (_, url, _):
        monkeypatch.setattr(socket.socket, "accept", accept)
        assert await posted(url, client_context(AUTHORITY.cert)) == "https"
        assert len(tried) == 2


@on_uvloop
async def test_a_connection_that_is_given_away_ends_with_its_next_answer():
    """What is secured cannot be handed to another process. So it is closed in order, and the client connects anew."""
    async with served() as (server, url, _), aiohttp.ClientSession() as session:
        trusting = client_context(AUTHORITY.cert)
        async with session.post(url, ssl=trusting) as reply:
            assert "Connection" not in reply.headers
        server.give_away(1)
        async with session.post(url, ssl=trusting) as reply:
            assert reply.headers["Connection"] == "close"
        await until(lambda: server.connections == 0 and not server.accepts)


@on_uvloop
async def test_an_ending_server_waits_for_a_handshake_that_is_under_way(monkeypatch):
    """Its request is answered, and the answer ends the connection."""
    monkeypatch.setattr(serving, "LINGER_IDLE_S", 30.0)
    async with served() as (server, _, address):
        reader, writer = await asyncio.open_connection(*address)
        await until(lambda: server.connections == 1)
        ending = asyncio.create_task(server.finish())
        await until(lambda: not server.accepts)
        await writer.start_tls(client_context(AUTHORITY.cert), server_hostname="localhost")
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
        told = await reader.read()
        assert told.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in told
        writer.close()
        await ending


@on_uvloop
async def test_an_ending_server_waits_for_no_silent_one():
    """A client that sends nothing holds up no restart."""
    async with served() as (server, _, address):
        reader, writer = await asyncio.open_connection(*address)
        await until(lambda: server.connections == 1)
        await server.finish()
        assert await reader.read() == b""
        writer.close()
        await until(lambda: server.connections == 0)


@pytest.mark.parametrize(
    ("cert", "key", "ca", "part"),
    [
        ("nonsense", PAIR.key, "", "is no certificate in PEM"),
        (PAIR.cert, "nonsense", "", "is no private key in PEM"),
        (PAIR.cert, STRANGER.signed().key, "", "does not belong to the certificate"),
        (PAIR.cert, AUTHORITY.signed(password=b"secret").key, "", "is encrypted"),
        (PAIR.cert, PAIR.key, "nonsense", "is no certificate in PEM"),
        (PAIR.cert.replace("M", "!", 1), PAIR.key, "", "is no certificate in PEM"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(cert, key, ca, part):
    """No word of a key is repeated."""
    with pytest.raises(ValueError, match=part):
        server_context(cert, key, ca)


def test_the_first_certificate_to_expire_counts():
    """Of a chain, whatever its order."""
    days = [expiry_s(AUTHORITY.signed(days=number).cert) for number in (5, 40)]
    chain = AUTHORITY.signed(days=40).cert + AUTHORITY.signed(days=5).cert
    assert expiry_s(chain) == pytest.approx(days[0], abs=60)
    assert days[0] == pytest.approx(datetime.now(UTC).timestamp() + 5 * 86_400, abs=60)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),  # noqa: S104 - it is not listened on
        ("::", False),
        ("192.0.2.1", False),
        ("localhost", None),
    ],
)
def test_a_loopback_address_is_told_from_others(host, local):
    """Of a name nobody knows before it is looked up."""
    assert is_loopback(host) is local


def test_a_listening_socket_is_looked_at_whatever_name_led_to_it():
    """Also one that a service manager passed. The line says what to do."""
    with bind_listener("localhost", 0, "WALLET_WEBHOOK") as local:
        check_plain_http(local, "WALLET_WEBHOOK")
    with (
        bind_listener("0.0.0.0", 0, "WALLET_WEBHOOK") as listener,  # noqa: S104 - nothing accepts
        pytest.raises(SettingsError, match=r"WALLET_WEBHOOK_HOST.*WALLET_PLAIN_HTTP=behind-proxy"),
    ):
        check_plain_http(listener, "WALLET_WEBHOOK")


def test_a_process_serves_a_socket_of_its_parent_plainly_only_where_it_may():
    """A reload may take the certificate away, while the socket stays where it is."""
    with bind_listener("0.0.0.0", 0, "WALLET_WEBHOOK") as listener:  # noqa: S104 - nothing accepts
        port = ListeningSocket("WALLET_WEBHOOK", listener.dup().detach())
        with pytest.raises(SettingsError, match="WALLET_WEBHOOK_HOST"):
            port.share("127.0.0.1", 0, may_be_plain=False)
        port.share("127.0.0.1", 0, may_be_plain=True).close()
        port.close()
