"""What an administrator may send, read strictly: one JSON object, every member known and of its type."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from tocsin.record import (
    Role,  # noqa: TC001 - msgspec reads the annotations at run time
    Rung,  # noqa: TC001 - msgspec reads the annotations at run time
)
from tocsin.service.json import decode
from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from tocsin.service.request import Request

__all__ = [
    "BODY_BYTES",
    "AddRestriction",
    "AlertsAsked",
    "ById",
    "CreateKey",
    "GiveVerdict",
    "Nothing",
    "Page",
    "RestrictionsAsked",
    "RotateKey",
    "asked",
    "ordered",
]

T = TypeVar("T")

BODY_BYTES: Final = 16_384
_MAX_QUERY_BYTES: Final = 2_048
_MAX_PARAMETERS: Final = 8
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 9998
"""Every zone's time within fits UTC, and lies after 1970, from which the records count."""

By = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Who decides, for the audit, beside the key that asks."""
Entity = Annotated[str, Meta(max_length=512, pattern=r"^[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]+$")]
Seconds = Annotated[float, Meta(gt=0, le=3660 * 86_400)]


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body and query shares: no unknown member."""


class Nothing(_Order, frozen=True):
    """No parameters."""


class ById(_Order, frozen=True):
    """A change of what the path names."""

    by: By = ""


class AddRestriction(_Order, frozen=True):
    """`POST /admin/v1/restrictions`."""

    entity: Entity
    rung: Rung
    hours: Annotated[float, Meta(ge=0, le=24 * 3660)] = 8.0
    """No restriction lasts longer than 366 days."""
    cause: Annotated[str, Meta(max_length=2000)] = "decided by a person"
    by: By = ""


class GiveVerdict(_Order, frozen=True):
    """`POST /admin/v1/alerts/ID/verdict`."""

    verdict: Literal["true", "false"]
    known_at: datetime | None = None
    """When it became known, with its zone; now if not said."""
    by: By = ""


class CreateKey(_Order, frozen=True):
    """`POST /admin/v1/keys`."""

    role: Role
    subject: str = ""
    scopes: tuple[str, ...] = ()
    label: str = ""
    expires_s: Seconds | None = None
    """Never when not given."""
    by: By = ""


class RotateKey(_Order, frozen=True):
    """`POST /admin/v1/keys/ID/rotate`."""

    grace_s: Annotated[float, Meta(ge=0, le=30 * 86_400)] = 86_400.0
    by: By = ""


class Page(_Order, frozen=True):
    """How many of a list."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class AlertsAsked(Page, frozen=True):
    """`GET /admin/v1/alerts`."""

    open: bool = False
    """Only those without a verdict."""


class RestrictionsAsked(_Order, frozen=True):
    """`GET /admin/v1/restrictions`."""

    all: bool = False
    """Also what expired or was lifted."""
    at: datetime | None = None
    """In force at this time in place of now."""


def ordered(request: Request, kind: type[T]) -> T:
    """Read a body; raises `Problem` 400. No body is an empty object."""
    order = decode(request.body or b"{}", kind)
    try:
        return _checked(order)
    except ValueError as error:
        raise Problem(400, "invalid-request", f"the body is not as expected: {error}") from error


def asked(request: Request, kind: type[T]) -> T:
    """Read a query; raises `Problem` 400 for a name that is unknown or stands twice."""
    try:
        return _checked(msgspec.convert(_parameters(request.query), kind, strict=False))
    except (ValueError, msgspec.ValidationError) as error:
        raise Problem(400, "wrong-query", f"the query is not as expected: {error}") from error


def _parameters(query: bytes) -> dict[str, str]:
    if len(query) > _MAX_QUERY_BYTES:
        raise ValueError("it is too long")
    if not query:
        return {}
    text = query.decode("ascii")
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=_MAX_PARAMETERS)
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _checked(order: T) -> T:
    """Refuse a time that does not name its zone, or that no record could have."""
    for name in getattr(order, "__struct_fields__", ()):
        value = getattr(order, name)
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"`{name}` does not name its zone")
            if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
                raise ValueError(f"`{name}` lies in no year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return order
