"""Answers that say no: problem documents (RFC 9457), and which error becomes which status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from tocsin.errors import (
    BadValue,
    IdentityError,
    InvalidCredential,
    IssuerUnavailable,
    NotFound,
    PolicyError,
    RecordError,
    Refused,
    SourceError,
    StoreError,
    TocsinError,
    UsageError,
)
from tocsin.service.request import Response

__all__ = ["Problem", "problem_of", "unexpected"]

PROBLEM_TYPE: Final = b"application/problem+json"
_CANNOT_KEEP: Final = "nothing can be kept or read just now; the server's log has the reason"
_STATUS: Final[tuple[tuple[type[TocsinError], int], ...]] = (
    (IssuerUnavailable, 503),
    (InvalidCredential, 401),
    (IdentityError, 401),
    (UsageError, 400),
    (RecordError, 422),
    (SourceError, 422),
    (BadValue, 400),
    (PolicyError, 422),
    (StoreError, 503),
    (NotFound, 404),
    (Refused, 409),
)
"""The first that fits; an error of no kind named here is our own fault."""


class Problem(Exception):  # noqa: N818 - an answer on its way out, not a failure of the server
    """A refusal with its status; raise it anywhere in a handler.

    `code` is stable and machine-readable; `detail` is for people and never echoes what was sent.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: tuple[tuple[bytes, bytes], ...] = (), hint: str = ""
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers, self.hint = status, code, detail, headers, hint

    def response(self) -> Response:
        """Write the problem document."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.hint:
            document["hint"] = self.hint
        return Response(self.status, msgspec.json.encode(document), PROBLEM_TYPE, list(self.headers))


def problem_of(error: TocsinError) -> Problem:
    """Say an error of ours as a problem; what is no fault of the caller's keeps its words for the log."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, InvalidCredential):
        return _refused(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return unexpected()
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        detail = error.message if isinstance(error, IssuerUnavailable) else _CANNOT_KEEP
        return Problem(status, error.code, detail, headers=((b"retry-after", b"1"),))
    headers = ((b"www-authenticate", b"Bearer"),) if status == HTTPStatus.UNAUTHORIZED else ()
    return Problem(status, error.code, error.message, headers=headers, hint=error.hint)


def _refused(error: InvalidCredential) -> Problem:
    headers = [(b"www-authenticate", error.challenge.encode("latin-1", "replace"))]
    if error.nonce:
        headers.append((b"dpop-nonce", error.nonce.encode("latin-1", "replace")))
    return Problem(error.status, error.code, error.message, headers=tuple(headers), hint=error.hint)


def unexpected() -> Problem:
    """Answer for what should not have happened: nothing of it leaves the server, the log has it all."""
    return Problem(500, "unexpected", "the server could not answer; its log has the reason under this request's id")
