"""One connection: uvicorn's HTTP over httptools, with what a stranger may take bounded before any request is made.

INVARIANT: until the headers are complete nothing of a request is kept beyond `header_bytes` and one read of the
socket; afterwards the header list is closed, so that trailers never count as headers.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from tocsin.service.arrival import request_ids
from tocsin.service.exchange import CYCLE
from tocsin.service.problems import Problem
from tocsin.service.request import CERTIFICATE, OWNER

if TYPE_CHECKING:
    from ssl import SSLObject

    from uvicorn import Config

    from tocsin.config.settings import ServeSettings

__all__ = ["Bounds", "Connection", "State"]

_HEADER_COST: Final = 32
"""Bytes that a header counts for beside its name and value."""


class Bounds(NamedTuple):
    """What one connection may take."""

    connections: int
    header_bytes: int
    header_count: int
    header_s: float
    body_s: float
    idle_s: float

    @classmethod
    def of(cls, serve: ServeSettings) -> Bounds:
        """Take the bounds that the settings name."""
        return cls(
            serve.connections, serve.header_bytes, serve.header_count, serve.header_s, serve.body_s, serve.idle_s
        )


class State(ServerState):
    """What the connections of one server share."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet = asyncio.Event()
        """Set whenever the last connection has ended."""
        self.ids = request_ids()
        self.refused = 0
        """Connections ended before the application saw a request."""


class Connection(HttpToolsProtocol):
    """A connection of a stranger, or of the home's owner over the admin socket."""

    def __init__(self, config: Config, state: State, bounds: Bounds, *, owner: bool = False) -> None:
        super().__init__(config, state, {}, asyncio.get_running_loop())
        self._shared, self._bounds, self._owner = state, bounds, owner
        self._certificate: bytes | None = None
        self._seen_bytes = self._raw_bytes = 0
        """Of the headers at hand: what the parser gave, and what the socket did while they were not complete."""
        self._in_headers = True
        self.deadline_s = math.inf
        """Time of the loop's clock after which an idle or slow connection is ended."""
        self.unread_s = math.inf
        """Since when the other end reads too little of what it is sent."""

    # --- asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the client's certificate was verified by TLS already, where one was sent."""
        super().connection_made(transport)
        self.deadline_s = self.loop.time() + self._bounds.header_s
        tls = cast("SSLObject | None", transport.get_extra_info("ssl_object"))
        self._certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if len(self.connections) > self._bounds.connections and not (self._owner or self._make_room()):
            self._end(Problem(503, "too-many-connections", "too many connections are open", headers=_RETRY))

    def _make_room(self) -> bool:
        """Close the connection that would be the next to end, for being idle or unread: only work holds a place."""
        others = [other for other in self.connections if isinstance(other, Connection) and other is not self]
        ending = [other for other in others if other.is_idle] or [other for other in others if other.is_unread]
        if not ending:
            return False
        min(ending, key=lambda other: min(other.deadline_s, other.unread_s)).transport.abort()
        return True

    def pause_writing(self) -> None:
        """Take note that the other end does not read what it is sent."""
        super().pause_writing()
        self.unread_s = min(self.unread_s, self.loop.time())

    def resume_writing(self) -> None:
        """Take note that it reads again."""
        super().resume_writing()
        self.unread_s = math.inf

    @property
    def is_unread(self) -> bool:
        """Whether the other end reads too little of what it is sent; nothing waits for it then but memory."""
        return self.unread_s < math.inf and not self._owner

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered here."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return not (answering or self._owner or self.transport.is_closing())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if not self.connections:
            self._shared.quiet.set()

    def data_received(self, data: bytes) -> None:
        """Take what arrived; headers that do not end are cut off."""
        if self.parser is None or self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_headers:
            self._raw_bytes += len(data)
            if self._raw_bytes > self._bounds.header_bytes and not self.transport.is_closing():
                self._end(_TOO_LONG)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; `msg` is uvicorn's and for its log."""
        del msg
        if not self.transport.is_closing():
            self._end(Problem(400, "malformed-request", "this is not a request of HTTP/1.1"))

    def expire(self, now_s: float) -> None:
        """End the connection when it is idle, or slow, or unread, for too long."""
        if self.transport.is_closing():
            self.unread_s = min(self.unread_s, now_s)  # a farewell that nobody reads would never end
        if now_s - self.unread_s >= self._bounds.body_s:
            self.transport.abort()
        if now_s < self.deadline_s or not self.is_idle:
            return
        if self._in_headers and self._raw_bytes:
            self._end(Problem(408, "headers-too-slow", "the headers did not arrive in time"))
        else:
            self.transport.close()

    # --- the parser's side

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_headers, self._seen_bytes, self._raw_bytes = True, 0, 0
        self.deadline_s = self.loop.time() + self._bounds.header_s
        scope = cast("dict[str, Any]", self.scope)
        if self._owner:
            scope[OWNER] = True
        if self._certificate is not None:
            scope[CERTIFICATE] = self._certificate

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after the body is none."""
        if not self._in_headers:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        self._count(len(name) + len(value) + _HEADER_COST)
        if len(self.headers) > self._bounds.header_count:
            self._end(_TOO_LONG)
            raise ValueError("too many headers")

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._in_headers = False
        self.deadline_s = math.inf
        super().on_headers_complete()
        cast("dict[str, Any]", self.scope)[CYCLE] = self.cycle
        if self.expect_100_continue or self.parser.should_upgrade():
            self.cycle.keep_alive = False  # what follows is not sure to be a request

    def on_message_complete(self) -> None:
        """Take note that the body is whole."""
        super().on_message_complete()
        if self.cycle.response_complete:
            self.deadline_s = self.loop.time() + self._bounds.idle_s

    def on_response_complete(self) -> None:
        """Wait for the next request; what is left of this one's body may still come and is thrown away."""
        more = self.cycle.more_body
        self.deadline_s = self.loop.time() + (self._bounds.body_s if more else self._bounds.idle_s)
        super().on_response_complete()

    def _count(self, size: int) -> None:
        self._seen_bytes += size
        if self._seen_bytes > self._bounds.header_bytes:
            self._end(_TOO_LONG)
            raise ValueError("headers are too long")

    def _end(self, problem: Problem) -> None:
        """Answer for a request that the application never sees, and close."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()  # an answer inside another one's would be worse than none
            return
        self._shared.refused += 1
        answer = problem.response()
        lines = [STATUS_LINE[problem.status], b"content-type: ", answer.content_type, b"\r\n"]
        lines.append(b"x-request-id: %b\r\n" % next(self._shared.ids).encode("ascii"))
        for name, value in (*self.server_state.default_headers, *answer.headers):
            lines += [name, b": ", value, b"\r\n"]
        lines += [b"content-length: %d\r\nconnection: close\r\n\r\n" % len(answer.body), answer.body]
        self.transport.write(b"".join(lines))
        self.transport.close()


_RETRY: Final = ((b"retry-after", b"1"),)
_TOO_LONG: Final = Problem(431, "headers-too-large", "the request line and headers are too long")
