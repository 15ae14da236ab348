"""The way in and out of a request: straight through uvicorn's cycle where there is one, by plain ASGI elsewhere.

A body that arrived with its headers needs no task switch and no timer, and an answer known whole needs no two messages
that are checked and joined again: together that is a third of what surrounds a decision.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from tocsin.service.request import Response

__all__ = ["CYCLE", "answer", "arrived_body"]

CYCLE: Final = "tocsin.cycle"
"""Member of the ASGI scope that holds uvicorn's cycle, set by our own connections."""

_NOT_IN_A_HEADER: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WITHOUT_BODY: Final = frozenset({204, 304})


def arrived_body(scope: dict[str, Any]) -> bytes | None:
    """Take the body if it is here whole; None when it must be waited for."""
    cycle: RequestResponseCycle | None = scope.get(CYCLE)
    if cycle is None or cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
        return None
    return bytes(cycle.body)


async def answer(
    scope: dict[str, Any],
    send: Callable[[dict[str, Any]], Awaitable[None]],
    response: Response,
    request_id: str,
) -> None:
    """Send a response whole, with its length and the request's id."""
    cycle: RequestResponseCycle | None = scope.get(CYCLE)
    if cycle is not None:
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        _write(cycle, response, request_id, head_only=scope["method"] == "HEAD")
        return
    headers = [
        (b"content-type", response.content_type),
        (b"content-length", b"%d" % len(response.body)),
        (b"x-request-id", request_id.encode("ascii")),
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _write(cycle: RequestResponseCycle, response: Response, request_id: str, *, head_only: bool) -> None:
    """Do what uvicorn's `send` does for both messages, in one write.

    INVARIANT: no name or value holds what could end a header, whoever gave it.
    """
    if cycle.transport.is_closing():  # uvicorn tells the last request of a connection that it is gone, not all
        cycle.disconnected = True
    if cycle.disconnected or cycle.response_started:
        return
    status, body = response.status, response.body
    parts = [STATUS_LINE[status]]
    for name, value in cycle.default_headers:
        parts += (name, b": ", value, b"\r\n")
    if status not in _WITHOUT_BODY:
        parts.append(b"content-type: %b\r\ncontent-length: %d\r\n" % (response.content_type, len(body)))
    parts.append(b"x-request-id: %b\r\n" % request_id.encode("ascii"))
    for name, value in response.headers:
        if _NAME.fullmatch(name) is None or _NOT_IN_A_HEADER.search(value) is not None:
            raise ValueError("a header of an answer cannot be sent")
        if name.lower() == b"connection":
            cycle.keep_alive = cycle.keep_alive and b"close" not in value.lower()
        else:
            parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    if not head_only and status not in _WITHOUT_BODY:
        parts.append(body)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(parts))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
