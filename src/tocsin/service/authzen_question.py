"""From an AuthZEN request to a question: which members of its context mean something to Tocsin.

All of it is the caller's word. Members of these names are checked, because a policy or a profile that took a wrong
one for missing would let pass what it was written to stop; all other members go to the policies as they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from msgspec import Struct, structs

from tocsin.addresses import canonical_text
from tocsin.event import KINDS, Origin
from tocsin.question import Identity, Party, Question
from tocsin.service.problems import Problem
from tocsin.trust.policy.names import MAX_ID_CHARS, MAX_TYPE_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from tocsin.event import Kind
    from tocsin.question import Caller
    from tocsin.service import authzen_wire as wire

__all__ = ["CREDENTIAL", "Told", "asserted", "identified", "question_of", "told"]

CREDENTIAL: Final = "credential"
"""Member of the context with the subject's own credential; never journaled, logged or shown to policies."""

_MAX_TEXT_CHARS: Final = 1024
_MAX_WHOLE: Final = (1 << 63) - 1
_MAX_ADDRESS_CHARS: Final = 64
_ADDRESSES: Final = ("ip", "ip_address")
_DEVICES: Final = ("device", "device_id")
_SESSIONS: Final = ("session", "session_id")
_Read = TypeVar("_Read")


class Told(Struct, frozen=True):
    """What the context and the subject's properties tell of the circumstances."""

    context: dict[str, Any]
    """As sent, without the credential."""
    origin: Origin
    kind: Kind
    counterparty: str | None
    amount: float | None
    currency: str | None
    bytes_out: int | None
    count: int | None
    session: str | None


def told(context: dict[str, Any], subject_properties: dict[str, Any]) -> Told:
    """Read the members that Tocsin knows; raises `Problem` 400 for one of the wrong kind."""
    if CREDENTIAL in context:
        context = {name: value for name, value in context.items() if name != CREDENTIAL}
    amount = _member(context, "amount", _number)
    bytes_out = _member(context, "bytes", _whole)
    kind = _member(context, "kind", _kind) or _usual_kind(amount)
    return Told(
        context,
        Origin(
            address=_first(context, _ADDRESSES, _address) or _first(subject_properties, _ADDRESSES[1:], _address),
            device=_first(context, _DEVICES, _text) or _first(subject_properties, _DEVICES[1:], _text),
            agent=_member(context, "user_agent", _text),
        ),
        kind,
        _member(context, "counterparty", _entity),
        amount,
        _member(context, "currency", _text),
        bytes_out,
        _member(context, "count", _whole),
        _first(context, _SESSIONS, _text),
    )


def asserted(subject: wire.Entity) -> Identity:
    """Identity of a subject for whom only the caller's word stands."""
    return Identity(subject=Party(type=subject.type, id=subject.id).entity, assurance=1, method="asserted")


def question_of(  # noqa: PLR0913 - a question has these parts
    subject: wire.Entity,
    action: wire.Action,
    resource: wire.Entity,
    told: Told,
    *,
    identity: Identity,
    caller: Caller,
    believed: Collection[str],
    now: datetime,
) -> Question:
    """Put the question together; properties are passed on from callers whose role is among the `believed`."""
    believes = caller.role in believed
    return Question(
        time=now,
        subject=Party(type=subject.type, id=subject.id, properties=subject.properties if believes else {}),
        action=action.name,
        action_properties=action.properties if believes else {},
        resource=Party(type=resource.type, id=resource.id, properties=resource.properties if believes else {}),
        identity=identity,
        caller=caller.id,
        context=told.context,
        origin=told.origin,
        kind=told.kind,
        counterparty=told.counterparty,
        amount=told.amount,
        currency=told.currency,
        bytes_out=told.bytes_out,
        count=told.count,
        session=told.session or identity.session,
    )


def identified(question: Question, identity: Identity) -> Question:
    """Put what was verified of the subject in the place of the caller's word."""
    return structs.replace(question, identity=identity, session=question.session or identity.session)


def _usual_kind(amount: float | None) -> Kind:
    """Kind of a question that does not name one: what moves money is a payment; logs call the rest `api`, so do we."""
    return "api" if amount is None else "payment"


def _first(members: dict[str, Any], names: tuple[str, ...], read: Callable[[Any, str], _Read]) -> _Read | None:
    """Read every member that is there, so that none is wrong, and take the first."""
    found = [read(members[name], name) for name in names if name in members]
    return found[0] if found else None


def _member(members: dict[str, Any], name: str, read: Callable[[Any, str], _Read]) -> _Read | None:
    return read(members[name], name) if name in members else None


def _wrong(name: str, what: str) -> Problem:
    return Problem(400, "invalid-request", f"`{name}` must be {what}")


def _text(value: object, name: str) -> str:
    if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT_CHARS:
        return value
    raise _wrong(name, f"text of 1 to {_MAX_TEXT_CHARS} characters")


def _address(value: object, name: str) -> str:
    address = _canonical(value) if isinstance(value, str) and len(value) <= _MAX_ADDRESS_CHARS else None
    if address is None:
        raise _wrong(name, "the text of an IPv4 or IPv6 address")
    return address


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    return canonical_text(text)


def _entity(value: object, name: str) -> str:
    """Take `type:id`, or the two apart; a colon in the type would make another entity of it."""
    kind: object
    uid: object
    if isinstance(value, dict):
        kind, uid = value.get("type"), value.get("id")
    else:
        kind, _, uid = value.partition(":") if isinstance(value, str) else (None, "", None)
    if not (isinstance(kind, str) and isinstance(uid, str) and ":" not in kind):
        kind = uid = ""
    if not (0 < len(kind) <= MAX_TYPE_CHARS and 0 < len(uid) <= MAX_ID_CHARS):
        raise _wrong(name, "`type:id`, or an object with `type` and `id`")
    return f"{kind}:{uid}"


def _number(value: object, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_WHOLE:
        return float(value)
    raise _wrong(name, "a number that is not negative")


def _whole(value: object, name: str) -> int:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= _MAX_WHOLE
        and value == int(value)
    ):
        return int(value)
    raise _wrong(name, "a whole number, not negative")


def _kind(value: object, name: str) -> Kind:
    if value in KINDS:
        return cast("Kind", value)
    raise _wrong(name, f"one of {', '.join(KINDS)}")
