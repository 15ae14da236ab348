"""The same request sent again is answered again and not done twice (`Idempotency-Key`).

An answer is kept, durably, before it is given. A key is its caller's own; the same key with another request is
refused, and so is a request whose first copy is still under way.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.service.request import Request
    from tocsin.store import Answer, Answers

__all__ = ["Answered", "Claim"]

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MARK_DIGITS: Final = 24
_DESCRIBES: Final = (
    b"content-type", b"content-encoding", b"ce-specversion", b"ce-id", b"ce-source", b"ce-type", b"ce-time",
    b"ce-dataschema",
)  # fmt: skip
"""Headers that say what a body means."""


class Claim:
    """One request's hold on its key, from its arrival to its answer."""

    __slots__ = ("key", "request")

    def __init__(self, key: bytes, request: bytes) -> None:
        self.key, self.request = key, request

    @property
    def mark(self) -> str:
        """What makes uids for events that have none, so that a retry after a crash finds those that got through."""
        return "idempotent-" + hashlib.blake2b(self.key + self.request).hexdigest()[:_MARK_DIGITS]


class Answered:
    """What was answered under which key, the newest `most`, for some hours; begins with what the home has kept."""

    def __init__(self, answers: Answers, *, most: int, hours: float, now: datetime) -> None:
        self._answers, self._most, self._span = answers, most, timedelta(hours=hours)
        self._known = {answer.key: answer for answer in answers.since(now - self._span)[-most:]} if most else {}
        self._under_way: set[bytes] = set()

    def claim(self, request: Request, now: datetime) -> Claim | Answer | None:
        """Find what was answered before, or hold the key until `release`; None where the request has no key.

        Raises `Problem`: 400 for a malformed key, 409 while the same is under way, 422 for a key used otherwise.
        """
        sent = request.headers_of(b"idempotency-key")
        if not sent or not self._most:
            return None
        if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
            raise Problem(400, "idempotency-key", "an idempotency key is one word of at most 255 visible characters")
        caller = request.caller.id if request.caller is not None else ""
        claim = Claim(_digest(b"key", caller.encode(), sent[0].encode()), _described(request))
        known = self._known.get(claim.key)
        if known is not None and now - known.time <= self._span:
            if known.request != claim.request:
                raise Problem(422, "idempotency-key", "this idempotency key was used for another request")
            return known
        if claim.key in self._under_way:
            wait = ((b"retry-after", b"1"),)
            raise Problem(409, "idempotency-key", "a request with this key is still under way", headers=wait)
        self._under_way.add(claim.key)
        return claim

    def keep(self, answer: Answer) -> None:
        """Write an answer down; blocks until it is durable, so call it off the event loop."""
        self._answers.keep(answer, most=self._most)

    def learn(self, answer: Answer) -> None:
        """Give the answer from now on, without asking the disk."""
        self._known.pop(answer.key, None)
        self._known[answer.key] = answer
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def release(self, claim: Claim) -> None:
        """Let go of a key."""
        self._under_way.discard(claim.key)


def _described(request: Request) -> bytes:
    headers = (b"\0".join(value for name, value in request.headers if name == wanted) for wanted in _DESCRIBES)
    return _digest(b"request", *headers, request.body)


def _digest(*parts: bytes) -> bytes:
    """Hash the parts, each with its length, so that no two lists of parts read alike."""
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
