"""The subject's own credential, passed on by the caller inside a question, and the identity it proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from tocsin.errors import InvalidCredential
from tocsin.question import Party
from tocsin.service.json import convert
from tocsin.service.problems import Problem
from tocsin.trust.credentials import MAX_TOKEN_BYTES, Credentials

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.question import Identity
    from tocsin.service.authzen_wire import Entity
    from tocsin.service.house import House

__all__ = ["credentials_of", "proven"]

_KEY_PREFIX: Final = "tsn_"
_SCHEMES: Final = ("bearer ", "dpop ")

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN_BYTES)]
Url = Annotated[str, Meta(max_length=8192)]


class Passed(Struct, frozen=True):
    """What the subject's own request carried, as the caller received it."""

    authorization: Text
    dpop: Annotated[tuple[Text, ...], Meta(max_length=4)] | Text = ()
    method: Annotated[str, Meta(max_length=32)] = "GET"
    url: Url = ""


def credentials_of(value: object) -> Credentials:
    """Read `context.credential`: a token, a whole `Authorization`, or an object with the proof beside it.

    Raises `Problem` 400.
    """
    if isinstance(value, str) and 0 < len(value) <= MAX_TOKEN_BYTES:
        whole = value if value.lower().startswith(_SCHEMES) else f"Bearer {value}"
        return Credentials(authorization=whole)
    if not isinstance(value, dict):
        raise Problem(400, "invalid-request", "`credential` must be a token, or an object with `authorization`")
    passed = convert(value, Passed)
    proofs = (passed.dpop,) if isinstance(passed.dpop, str) else passed.dpop
    return Credentials(authorization=passed.authorization, dpop=proofs, method=passed.method, url=passed.url)


async def proven(house: House, credentials: Credentials, subject: Entity, now: datetime) -> Identity:
    """Verify that the credential is this subject's; raises `InvalidCredential` and `IssuerUnavailable`."""
    identity = await _identity(house, credentials, now)
    if identity.subject != Party(type=subject.type, id=subject.id).entity:
        raise InvalidCredential("the credential belongs to somebody else than the subject of the question")
    return identity


async def _identity(house: House, credentials: Credentials, now: datetime) -> Identity:
    token = (credentials.authorization or "").partition(" ")[2].strip()
    identity: Identity | None
    if token.startswith(_KEY_PREFIX):
        identity = house.keys.identity(token, now)
        if identity is None:
            raise InvalidCredential("this is not a key of a subject")
        return identity
    identity = house.identity.recall(credentials)
    if identity is None:
        identity = await house.identity.verify(credentials, now)
    return identity
