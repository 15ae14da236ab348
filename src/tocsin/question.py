"""What is asked of *verify*, by whom, and what is answered: the nouns that identity, policy and decision share.

Names follow the OpenID AuthZEN Authorization API 1.0 (subject, action, resource, context, decision) and RFC 9470
(`acr_values`, `max_age`). Times are aware UTC datetimes.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from typing import Any, Final, Literal, get_args

import msgspec

from tocsin.event import Origin
from tocsin.record import Band, Reason, Role, Rung  # noqa: TC001 - msgspec reads the annotations at run time

__all__ = [
    "ANONYMOUS",
    "ANSWERS",
    "Answer",
    "Caller",
    "Decision",
    "Identity",
    "Party",
    "Question",
    "Reliance",
    "Why",
]

Answer = Literal["allow", "limit", "step_up", "deny"]
ANSWERS: Final[tuple[str, ...]] = get_args(Answer)
"""From the mildest to the hardest; of several, the hardest holds."""


class _Noun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all share: frozen, keyword-only, defaults left out when written."""


class Party(_Noun, frozen=True):
    """Who acts, or what is acted on: a type, an id, and what the caller says of it."""

    type: str
    id: str
    properties: dict[str, Any] = {}

    @property
    def entity(self) -> str:
        """The same as `type:id`; colons of the type become dots, since the first one ends it."""
        return f"{self.type.replace(':', '.')}:{self.id}"


class Identity(_Noun, frozen=True):
    """What was verified of the one who acts; never where they come from."""

    subject: str
    """Entity, `type:id`; empty for nobody."""
    assurance: int
    """0 nobody; 1 a caller vouches; 2 a bearer credential verified here; 3 bound to a key its holder proved to have."""
    method: Literal["none", "asserted", "api_key", "oidc", "opaque", "dpop", "mtls", "spiffe"]
    credential: str | None = None
    """The credential itself as an entity: `key:…`, `certificate:…`; restrictions on it count."""
    session: str | None = None
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    acr: str | None = None
    """Authentication context class, as the issuer names it."""
    proven_at: datetime | None = None
    """When the one behind it last proved who they are (`auth_time`, else when the credential was made)."""
    expires: datetime | None = None
    claims: dict[str, Any] = {}
    """Roles, groups and what else the settings pass on to policies."""


ANONYMOUS: Final = Identity(subject="", assurance=0, method="none")


class Caller(_Noun, frozen=True):
    """The program that asks: an API key or a token with a role."""

    id: str
    role: Role
    subject: str = ""
    scopes: tuple[str, ...] = ()


class Question(_Noun, frozen=True):
    """Whether this subject may do this to that, now."""

    time: datetime
    subject: Party
    action: str
    resource: Party
    identity: Identity
    caller: str
    """Id of the key that asks."""
    action_properties: dict[str, Any] = {}
    context: dict[str, Any] = {}
    origin: Origin = Origin()
    kind: Literal["authentication", "api", "transfer", "payment", "signup", "change"] = "api"
    counterparty: str | None = None
    amount: float | None = None
    currency: str | None = None
    bytes_out: int | None = None
    count: int | None = None
    session: str | None = None


class Why(_Noun, frozen=True):
    """One thing that led to the answer."""

    source: Literal["policy", "restriction", "identity", "state", "degraded"]
    id: str
    """Of the policy or the restriction; a stable word for the rest."""
    text: str = ""


class Reliance(_Noun, frozen=True):
    """How far an answer may be relied on before asking again; None is without limit."""

    seconds: float
    bytes: int | None = None
    amount: float | None = None


class Decision(_Noun, frozen=True):
    """The answer to one question, with everything that led to it."""

    answer: Answer
    policy_version: str
    reliance: Reliance
    id: str = ""
    """`D-…`, after the question's place in the journal; empty when the question was not journaled."""
    why: tuple[Why, ...] = ()
    obligations: dict[str, Any] = {}
    """What the caller must do besides: `acr_values`, `max_age`, `read_only`, `rate_per_min`, `amount`…"""
    band: Band = "low"
    restriction: Rung | None = None
    """The hardest enforced restriction that counted."""
    would: Answer | None = None
    """In shadow mode, what would have been answered, where that differs."""
    tail_bits: float = 0.0
    """How surprising the question itself was."""
    reasons: tuple[Reason, ...] = ()
    """Why it was surprising, where it was."""

    @property
    def permitted(self) -> bool:
        """Whether the action may go forward, within the obligations."""
        return self.answer in {"allow", "limit"}
