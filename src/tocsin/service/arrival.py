"""The headers of a request that the server itself reads, in one pass, with what smuggling relies on refused."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import TYPE_CHECKING, Final

from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Arrival", "request_ids"]

_WATCHED: Final = frozenset(
    {
        b"host",
        b"authorization",
        b"x-tocsin-key",
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"x-request-id",
        b"x-forwarded-for",
    }
)
_MAY_REPEAT: Final = frozenset({b"x-forwarded-for", b"x-request-id"})
_CLOSE: Final = ((b"connection", b"close"),)
_REQUEST_ID: Final = re.compile(rb"[\x20-\x7e]{1,256}")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")


def request_ids() -> Iterator[str]:
    """Make ids for requests that bring none: different in every process, growing within one."""
    start = secrets.token_hex(6)
    return (f"{start}-{number:x}" for number in itertools.count(1))


class Arrival:
    """What the server reads of a request's headers before any handler does."""

    __slots__ = ("_many", "_seen", "forwarded_for", "request_id")

    def __init__(self, headers: list[tuple[bytes, bytes]], ids: Iterator[str]) -> None:
        seen: dict[bytes, bytes] = {}
        many: bytes | None = None
        forwarded: list[bytes] = []
        for name, value in headers:
            if name in _WATCHED:
                if name == b"x-forwarded-for":
                    forwarded.append(value)
                elif name in seen:
                    many = name
                seen[name] = value
        self._seen, self._many, self.forwarded_for = seen, many, forwarded
        given = seen.get(b"x-request-id", b"")
        usable = many != b"x-request-id" and _REQUEST_ID.fullmatch(given)
        self.request_id = given.decode("ascii") if usable else next(ids)

    def check(self, http_version: str) -> None:
        """Refuse what two servers could read differently; raises `Problem` 400, and the connection ends."""
        seen = self._seen
        if self._many is not None and self._many not in _MAY_REPEAT:
            raise Problem(400, "repeated-header", f"`{self._many.decode()}` was sent more than once", headers=_CLOSE)
        if b"host" not in seen and http_version == "1.1":
            raise Problem(400, "no-host", "`host` was not sent", headers=_CLOSE)
        length, coding = seen.get(b"content-length"), seen.get(b"transfer-encoding")
        if length is not None and (coding is not None or not _DIGITS.fullmatch(length)):
            raise Problem(400, "unclear-length", "where the body ends is not clear", headers=_CLOSE)
        if coding is not None and coding.lower() != b"chunked":
            raise Problem(400, "unknown-coding", "a body may only be sent plain or chunked", headers=_CLOSE)

    @property
    def authorization(self) -> bytes | None:
        """`Authorization` as sent."""
        return self._seen.get(b"authorization")

    @property
    def key(self) -> bytes | None:
        """`X-Tocsin-Key` as sent."""
        return self._seen.get(b"x-tocsin-key")

    @property
    def content_length(self) -> bytes | None:
        """`Content-Length`, digits only once `check` has passed."""
        return self._seen.get(b"content-length")

    @property
    def has_body(self) -> bool:
        """Whether the headers announce a body."""
        return self._seen.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self._seen

    def insist_on(self, media: frozenset[bytes]) -> None:
        """Refuse a content type that the route does not take; raises `Problem` 415."""
        sent = self._seen.get(b"content-type")
        if sent is not None and sent not in media and sent.partition(b";")[0].strip().lower() not in media:
            names = ", ".join(sorted(name.decode() for name in media))
            raise Problem(415, "wrong-content-type", f"a body here is sent as {names}")
