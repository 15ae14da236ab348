"""What one caller, one body and all requests together may take; state for one event loop, no locks."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["ClientLeft", "Rates", "Slots", "read_body", "too_large"]

_MOST_CALLERS: Final = 10_000


class ClientLeft(Exception):  # noqa: N818 - an end, not a failure
    """The client went away before its body was whole; there is nobody to answer."""


class Slots:
    """How many requests are under way; one more than `most` is turned away."""

    __slots__ = ("most", "taken")

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    def take(self) -> None:
        """Begin a request; raises `Problem` 503 when too many are under way. Give back what was taken."""
        if self.taken >= self.most:
            raise Problem(503, "too-busy", "too many requests are under way", headers=((b"retry-after", b"1"),))
        self.taken += 1

    def give(self) -> None:
        """End a request that was begun."""
        self.taken -= 1


class Rates:
    """A token bucket for each caller: `per_s` requests a second on average, a burst of as much as one second's.

    INVARIANT: a caller that is forgotten (beyond ten thousand, the one idle longest) starts with a full bucket, so
    forgetting never refuses anybody.
    """

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self._burst = max(1.0, per_s)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str, now_s: float) -> None:
        """Take one token; raises `Problem` 429 with `Retry-After` when there is none."""
        if not self.per_s:
            return
        tokens, since = self._buckets.get(caller) or (self._burst, now_s)
        tokens = min(self._burst, tokens + (now_s - since) * self.per_s)
        if tokens < 1.0:
            wait = str(max(1, math.ceil((1.0 - tokens) / self.per_s))).encode()
            raise Problem(429, "too-fast", "this caller asks too often", headers=((b"retry-after", wait),))
        if len(self._buckets) >= _MOST_CALLERS and caller not in self._buckets:
            del self._buckets[min(self._buckets, key=lambda name: self._buckets[name][1])]
        self._buckets[caller] = (tokens - 1.0, now_s)


def too_large(limit: int) -> Problem:
    """Refuse a body over the limit."""
    return Problem(413, "body-too-large", f"a body here may have {limit} bytes")


async def read_body(
    receive: Callable[[], Awaitable[Any]], declared: bytes | None, limit: int, timeout_s: float
) -> bytes:
    """Read a body whole; raises `Problem` 413 as soon as it is known to be too large, 408 when it is too slow."""
    if declared is not None and int(declared) > limit:
        raise too_large(limit)
    try:
        async with asyncio.timeout(timeout_s):
            return await _gather(receive, limit)
    except TimeoutError:
        close = ((b"connection", b"close"),)
        raise Problem(408, "body-too-slow", "the body did not arrive in time", headers=close) from None


async def _gather(receive: Callable[[], Awaitable[Any]], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return part if not parts else b"".join((*parts, part))
        parts.append(part)
