"""What AuthZEN requests look like (OpenID AuthZEN Authorization API 1.0, sections 5 to 8), and how a body is read.

Unknown members are ignored everywhere (section 10.1.1); a member twice, a number beyond IEEE 754 or half a surrogate
is refused (section 11.5), since two readers could take two different questions from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tocsin.service.json import decode_any
from tocsin.service.problems import Problem
from tocsin.trust.policy.names import MAX_ID_CHARS, MAX_TYPE_CHARS

if TYPE_CHECKING:
    from tocsin.question import Caller
    from tocsin.service.request import Request

__all__ = [
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
    "read",
]

Type = Annotated[str, Meta(min_length=1, max_length=MAX_TYPE_CHARS)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]
Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]


class Entity(Struct, frozen=True):
    """A subject or a resource (sections 5.1 and 5.2)."""

    type: Type
    id: Name
    properties: dict[str, Any] = {}


class Action(Struct, frozen=True):
    """What is to be done (section 5.3)."""

    name: Name
    properties: dict[str, Any] = {}


class Kind(Struct, frozen=True):
    """The kind of entity that a search looks for; an id beside it is ignored (sections 8.4 and 8.5)."""

    type: Type
    properties: dict[str, Any] = {}


class Evaluation(Struct, frozen=True):
    """One question (section 6.1)."""

    subject: Entity
    action: Action
    resource: Entity
    context: dict[str, Any] = {}


class PartialEntity(Struct, frozen=True, omit_defaults=True):
    """A default for subjects or resources, which evaluations may complete."""

    type: Type | UnsetType = UNSET
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
    value = decode_any(request.body)
    if not isinstance(value, dict):
        raise Problem(400, "not-an-object", "the body must be one JSON object")
    return value
