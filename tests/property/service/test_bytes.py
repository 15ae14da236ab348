"""Whatever bytes arrive, cut however: no error escapes, answers are whole, and how it was cut changes no answer."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from uvicorn import Config

from tocsin.config import Settings
from tocsin.config.settings import ServeSettings
from tocsin.question import Caller
from tocsin.service.app import App
from tocsin.service.house import House
from tocsin.service.metrics import Metrics
from tocsin.service.protocol import Bounds, Connection, State
from tocsin.service.request import Response
from tocsin.service.route import PUBLIC, Route

SETTINGS = Settings(serve=ServeSettings(header_bytes=1024, body_bytes=1024))
NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
PIECES = [
    b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /closed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    b"GET /open HTTP/1.1\r\n",
    b"Host: x\r\n",
    b"Authorization: Bearer tsn_pep\r\n",
    b"X-Request-ID: a b\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"\r\n",
    b"abc",
    b"0\r\n\r\n",
    b"\x00\xff",
]
STREAMS = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), min_size=1, max_size=8).map(b"".join)
ANSWER = re.compile(rb"HTTP/1\.1 (?P<status>\d{3}) [A-Za-z -]*\r\n(?P<head>(?:[a-z-]+: [^\r\n]*\r\n)*)\r\n", re.DOTALL)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written, self.closed = b"", False

    def get_extra_info(self, _name, default=None):
        return default

    def write(self, data):
        assert not self.closed
        self.written += data

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close

    def pause_reading(self):
        pass

    resume_reading = pause_reading


class Log:
    def error(self, event, **known):
        raise AssertionError((event, known))

    warning = error


async def echo(request):
    return Response(200, request.body)


def app():
    keys = SimpleNamespace(caller=lambda token, _now: Caller(id="p", role="pep") if token == "tsn_pep" else None)  # noqa: S105 - made up
    house = House(
        engine=SimpleNamespace(hand_over=lambda: None),
        verifier=None,
        policies=None,
        identity=None,
        keys=keys,
        settings=SETTINGS,
        clock=lambda: NOW,
        metrics=Metrics(),
        log=Log(),
    )
    methods = frozenset({"GET", "POST"})
    return App(house, [Route(methods, "/open", echo, PUBLIC), Route(methods, "/closed", echo, frozenset({"pep"}))])


def talk(pieces):
    async def main():
        config = Config(app(), ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
        state, wire = State(), Wire()
        connection = Connection(config, state, Bounds.of(SETTINGS.serve))
        connection.connection_made(wire)
        for piece in pieces:
            connection.data_received(piece)
            for _ in range(6):
                await asyncio.sleep(0)
        connection.connection_lost(None)
        for _ in range(6):
            await asyncio.sleep(0)
        assert not state.tasks
        assert not state.connections
        return wire.written

    return asyncio.run(main())


def statuses(written):
    """Status of each answer; fails where something else stands between them."""
    found, at = [], 0
    while at < len(written):
        match = ANSWER.match(written, at)
        assert match, written[at : at + 200]
        length = re.search(rb"content-length: (\d+)\r\n", match["head"])
        found.append(int(match["status"]))
        at = match.end() + (int(length[1]) if length else 0)
        assert at <= len(written)
    return found


@given(STREAMS)
def test_answers_are_whole_and_nothing_escapes(stream):
    got = statuses(talk([stream]))
    assert set(got) <= {100, 200, 400, 401, 404, 405, 413, 431}


@given(STREAMS, st.lists(st.integers(0, 200), max_size=4))
def test_how_it_was_cut_decides_nothing_that_was_asked_for(stream, cuts):
    places = sorted({min(cut, len(stream)) for cut in cuts})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    whole, cut = statuses(talk([stream])), statuses(talk([piece for piece in pieces if piece]))
    served = [[status for status in got if status in {200, 401}] for got in (whole, cut)]
    assert served[0][: len(served[1])] == served[1][: len(served[0])]


@given(st.lists(st.sampled_from([b"Host: x\r\n", b"Authorization: Bearer tsn_pep\r\n"]), max_size=4), STREAMS)
def test_nobody_is_served_behind_a_door_without_exactly_one_key(headers, after):
    head = b"POST /closed HTTP/1.1\r\nConnection: close\r\n" + b"".join(headers) + b"\r\n"
    got = statuses(talk([head + after.replace(b"tsn_pep", b"tsn_not")]))
    keys, hosts = headers.count(b"Authorization: Bearer tsn_pep\r\n"), headers.count(b"Host: x\r\n")
    assert got[:1] == ([200] if (keys, hosts) == (1, 1) else [401] if (keys, hosts) == (0, 1) else [400])
