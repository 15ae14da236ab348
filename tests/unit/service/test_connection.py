"""A connection fed bytes by hand: what goes out is exactly one answer for each request, whatever the answer holds."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from uvicorn import Config

from tocsin.config import Settings
from tocsin.config.settings import ServeSettings
from tocsin.service.app import App
from tocsin.service.protocol import Bounds, Connection, State
from tocsin.service.request import CERTIFICATE, OWNER, Response
from tocsin.service.route import ANY_METHOD, PUBLIC, Route


class Wire:
    """A transport that keeps what is written."""

    def __init__(self, *, certificate=None):
        self.written, self.closed = b"", False
        self._tls = SimpleNamespace(getpeercert=lambda **_: certificate) if certificate else None

    def get_extra_info(self, name, default=None):
        return {"ssl_object": self._tls, "sslcontext": self._tls}.get(name, default)

    def write(self, data):
        assert not self.closed, "nothing is written behind the end"
        self.written += data

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close

    def pause_reading(self):
        pass

    resume_reading = pause_reading


ANSWERS = {
    "/plain": Response(200, b'{"a":1}'),
    "/empty": Response(204),
    "/close": Response(200, b"x", headers=[(b"Connection", b"close")]),
    "/split": Response(200, b"x", headers=[(b"x-name", b"ada\r\nset-cookie: a=b")]),
    "/name": Response(200, b"x", headers=[(b"x-na me", b"ada")]),
    "/latin": Response(200, b"x", headers=[(b"x-name", "caf\u00e9".encode("latin-1"))]),
}


async def told(request):
    return ANSWERS[request.path]


async def body(request):
    return Response(200, request.body, b"text/plain")


async def seen(request):
    return Response(200, repr((request.certificate, request.caller)).encode(), b"text/plain")


ROUTES = [
    *(Route(ANY_METHOD, path, told, PUBLIC) for path in ANSWERS),
    Route(ANY_METHOD, "/body", body, PUBLIC, body_limit=10),
    Route(ANY_METHOD, "/seen", seen, frozenset({"admin"})),
]


@pytest.fixture
def talk(make_house):
    """Feed pieces to a connection, letting the application run between them; returns the wire."""

    def run(*pieces, wire=None, owner=False, **serve):
        settings = Settings(serve=ServeSettings(**serve))

        async def main():
            app = App(make_house(settings=settings), ROUTES)
            config = Config(app, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
            state = State()
            connection, made = Connection(config, state, Bounds.of(settings.serve), owner=owner), wire or Wire()
            connection.connection_made(made)
            for piece in pieces:
                connection.data_received(piece)
                for _ in range(10):
                    await asyncio.sleep(0)
            made.ended = made.closed
            connection.connection_lost(None)
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=1)
            return made

        return asyncio.run(main())

    return run


def request(path, *lines, method="GET", version="1.1", content=b""):
    head = "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *lines])
    return head.encode() + b"\r\n\r\n" + content


def test_an_answer_is_one_piece_with_its_length(talk):
    wire = talk(request("/plain", "X-Request-ID: r-1"))
    head, _, content = wire.written.partition(b"\r\n\r\n")
    assert content == b'{"a":1}'
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"content-type: application/json",
        b"content-length: 7",
        b"x-request-id: r-1",
    ]
    assert not wire.ended


def test_the_head_alone_is_sent_when_that_is_asked(talk):
    wire = talk(request("/plain", method="HEAD"), request("/plain"))
    first, second = wire.written.split(b"HTTP/1.1 200 OK")[1:]
    assert b"content-length: 7" in first
    assert first.endswith(b"\r\n\r\n")
    assert second.endswith(b'{"a":1}')


def test_no_content_has_no_length(talk):
    wire = talk(request("/empty"))
    assert b"content-length" not in wire.written
    assert wire.written.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "asked", [request("/close"), request("/plain", "Connection: close"), request("/plain", version="1.0")]
)
def test_a_connection_that_is_to_end_is_said_to_and_ends(talk, asked):
    wire = talk(asked)
    assert wire.written.count(b"connection: close") == 1
    assert wire.ended


@pytest.mark.parametrize("path", ["/split", "/name"])
def test_a_value_that_would_end_its_header_never_leaves(talk, path):
    wire = talk(request(path))
    assert wire.written.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in wire.written
    assert b"ada" not in wire.written


def test_other_letters_leave_as_they_are(talk):
    assert "x-name: caf\u00e9\r\n".encode("latin-1") in talk(request("/latin")).written


def test_a_body_is_the_same_in_one_piece_and_in_many(talk):
    sent = request("/body", "Content-Length: 5", method="POST", content=b"hello")
    whole = talk(sent).written
    assert whole.endswith(b"hello")
    for cut in range(1, len(sent)):
        assert talk(sent[:cut], sent[cut:]).written.endswith(b"\r\n\r\nhello")


def test_a_chunked_body_is_joined_and_bounded(talk):
    pieces = request("/body", "Transfer-Encoding: chunked", method="POST"), b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n0\r\n\r\n"
    assert talk(*pieces).written.endswith(b"\r\n\r\nabcde")
    assert talk(b"".join(pieces)).written.endswith(b"\r\n\r\nabcde")
    long = request("/body", "Transfer-Encoding: chunked", method="POST") + b"b\r\n01234567890\r\n0\r\n\r\n"
    assert talk(long).written.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_waited_for_is_asked_for(talk):
    lines = "Content-Length: 5", "Expect: 100-continue"
    wire = talk(request("/body", *lines, method="POST"), b"hello")
    assert wire.written.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_what_is_left_of_a_refused_body_is_thrown_away(talk):
    wire = talk(request("/body", "Content-Length: 50", method="POST"), b"x" * 50 + request("/plain"))
    assert [wire.written.count(status) for status in (b"HTTP/1.1 413", b"HTTP/1.1 200")] == [1, 1]


def test_only_the_owner_s_listener_makes_an_owner(talk):
    assert talk(request("/seen", f"{OWNER}: true")).written.startswith(b"HTTP/1.1 401 ")
    assert b"role='admin'" in talk(request("/seen"), owner=True).written


def test_the_certificate_is_that_of_the_connection_alone(talk):
    key = "Authorization: Bearer tsn_admin"
    assert b"(None," in talk(request("/seen", key, f"{CERTIFICATE}: x")).written
    assert b"(b'der'," in talk(request("/seen", key), wire=Wire(certificate=b"der")).written


def test_headers_are_bounded_however_they_are_cut(talk):
    sent = request("/plain", "X: " + "a" * 2_000)
    for size in (1, 7, 500, 5_000):
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        wire = talk(*pieces, header_bytes=1024)
        assert wire.written.startswith(b"HTTP/1.1 431 ")
        assert b"x-request-id: " in wire.written
        assert wire.ended
    assert talk(request("/plain", "X: " + "a" * 500), header_bytes=1024).written.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_leaves_before_its_body_is_whole_gets_nothing(talk):
    assert talk(request("/body", "Content-Length: 5", method="POST"), b"he").written == b""


def test_an_answer_left_unread_ends_the_connection_in_time(make_house):
    async def run():
        app, serve = App(make_house(settings=Settings()), ROUTES), ServeSettings(body_s=5.0)
        config = Config(app, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
        connection, ended = Connection(config, State(), Bounds.of(serve)), []
        wire = Wire()
        wire.abort = lambda: ended.append(True)
        connection.connection_made(wire)
        begun = asyncio.get_running_loop().time()
        for pause, seconds in ((True, 1), (False, 6), (True, 4)):
            (connection.pause_writing if pause else connection.resume_writing)()
            connection.expire(begun + seconds)
        assert ended == []
        connection.expire(begun + 6)
        assert ended == [True]

    asyncio.run(run())
