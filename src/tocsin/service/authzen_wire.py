"""What AuthZEN requests look like (OpenID AuthZEN Authorization API 1.0, sections 5 to 8), and how a body is read.

Unknown members are ignored everywhere (section 10.1.1); a member twice, a number beyond IEEE 754 or half a surrogate
is refused (section 11.6), since two readers could take two different questions from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tocsin.service.problems import Problem
from tocsin.trust.strictjson import read_object

if TYPE_CHECKING:
    from tocsin.question import Caller
    from tocsin.service.request import Request

__all__ = [
    "MAX_DEPTH",
    "MAX_NAME_CHARS",
    "Action",
    "ActionSearch",
    "Entity",
    "Evaluation",
    "Evaluations",
    "Options",
    "Page",
    "ResourceSearch",
    "SubjectSearch",
    "caller_of",
    "convert",
    "read",
    "read_body",
]

MAX_NAME_CHARS: Final = 4096
"""Characters of a type, an id or an action's name; object keys of storage services have up to 1,024."""
MAX_DEPTH: Final = 32
"""Levels of objects and lists in a body."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
_Read = TypeVar("_Read")


class Entity(Struct, frozen=True):
    """A subject or a resource (sections 5.1 and 5.2)."""

    type: Name
    id: Name
    properties: dict[str, Any] = {}


class Action(Struct, frozen=True):
    """What is to be done (section 5.3)."""

    name: Name
    properties: dict[str, Any] = {}


class Kind(Struct, frozen=True):
    """The kind of entity that a search looks for; an id beside it is ignored (sections 8.4 and 8.5)."""

    type: Name
    properties: dict[str, Any] = {}


class Evaluation(Struct, frozen=True):
    """One question (section 6.1)."""

    subject: Entity
    action: Action
    resource: Entity
    context: dict[str, Any] = {}


class PartialEntity(Struct, frozen=True, omit_defaults=True):
    """A default for subjects or resources, which evaluations may complete."""

    type: Name | UnsetType = UNSET
    id: Name | UnsetType = UNSET
    properties: dict[str, Any] | UnsetType = UNSET


class PartialAction(Struct, frozen=True, omit_defaults=True):
    """A default for actions."""

    name: Name | UnsetType = UNSET
    properties: dict[str, Any] | UnsetType = UNSET


class Options(Struct, frozen=True):
    """How a list of questions is to be answered (section 7.1.2)."""

    evaluations_semantic: Semantic = "execute_all"
    context: Literal["brief", "full"] = "brief"
    """Ours: whether each answer says all it could, or only what has to be acted upon."""


class Evaluations(Struct, frozen=True):
    """Several questions, with defaults for what they leave out (section 7.1)."""

    subject: PartialEntity | UnsetType = UNSET
    action: PartialAction | UnsetType = UNSET
    resource: PartialEntity | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET
    evaluations: list[dict[str, Any]] = []
    options: Options = Options()


class Page(Struct, frozen=True):
    """Which part of the results is asked for (section 8.2.1)."""

    token: str = ""
    limit: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    properties: dict[str, Any] = {}


class SubjectSearch(Struct, frozen=True):
    """Who may do this to that (section 8.4)."""

    subject: Kind
    action: Action
    resource: Entity
    context: dict[str, Any] = {}
    page: Page | UnsetType = UNSET


class ResourceSearch(Struct, frozen=True):
    """To what may this one do that (section 8.5)."""

    subject: Entity
    action: Action
    resource: Kind
    context: dict[str, Any] = {}
    page: Page | UnsetType = UNSET


class ActionSearch(Struct, frozen=True):
    """What may this one do to that (section 8.6)."""

    subject: Entity
    resource: Entity
    context: dict[str, Any] = {}
    page: Page | UnsetType = UNSET


def caller_of(request: Request) -> Caller:
    """Return the caller of a route that only callers reach."""
    assert request.caller is not None  # noqa: S101 - narrows a type for mypy; the routes ask for a role
    return request.caller


def read(request: Request) -> dict[str, Any]:
    """Read a body that must be JSON (section 10.1); raises `Problem` 400, as the specification wants it."""
    sent = request.header(b"content-type") or ""
    if sent != "application/json" and sent.partition(";")[0].strip().lower() != "application/json":
        raise Problem(400, "wrong-content-type", "`content-type` must be `application/json`")
    return read_body(request.body)


def read_body(body: bytes) -> dict[str, Any]:
    """Read a body as one JSON object with one meaning; raises `Problem` 400.

    A body that is written exactly as we would write it, as most clients' are, cannot name a member twice; only others
    are read a second time, by the slower reader that sees every pair of name and value.
    """
    try:
        value = msgspec.json.decode(body)
        if not isinstance(value, dict):
            raise Problem(400, "not-an-object", "the body must be one JSON object")
        if body.count(b"{") + body.count(b"[") > MAX_DEPTH or msgspec.json.encode(value) != body:
            read_object(body, max_depth=MAX_DEPTH)
    except RecursionError:
        raise Problem(400, "malformed-json", "the body is nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise Problem(400, "malformed-json", f"the body is not JSON with one meaning: {_why(error)}") from None
    return value


def convert(value: dict[str, Any], kind: type[_Read]) -> _Read:
    """Take a request from what was read; raises `Problem` 400 that names the member."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Problem(400, "invalid-request", _why(error)) from None


def _why(error: Exception) -> str:
    """Say what is wrong; an encoding's error would quote the body, so it does not get to speak."""
    if isinstance(error, UnicodeError):
        return "a string is not UTF-8"
    text = str(error)
    return text[:1].lower() + text[1:] if text else "nested too deeply"
