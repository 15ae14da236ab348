"""API keys made, replaced and ended; what is asked for is checked before anything is kept."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

import msgspec

from tocsin.errors import NotFound, UsageError
from tocsin.record import ROLES, Role
from tocsin.store import ApiKey
from tocsin.trust.keys import ID_CHARS, ID_DIGITS, digest_of, new_secret

if TYPE_CHECKING:
    from tocsin.store import ApiKeyTable

__all__ = ["MAX_GRACE", "MAX_LIFE", "Issued", "issue", "revoke", "rotate"]

MAX_LIFE: Final = timedelta(days=3660)
MAX_GRACE: Final = timedelta(days=30)
MAX_SCOPES: Final = 32
MAX_LABEL_CHARS: Final = 200

_ENTITY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}:\S{1,190}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}")
"""A scope token, as RFC 6749, section 3.3, has it."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made, with the only copy of its secret there will ever be."""

    key: ApiKey
    secret: str


def issue(  # noqa: PLR0913 - a key has so many parts, all named by keyword
    table: ApiKeyTable,
    role: str,
    *,
    now: datetime,
    subject: str = "",
    scopes: tuple[str, ...] = (),
    label: str = "",
    life: timedelta | None = None,
    by: str = "",
) -> Issued:
    """Make a key and keep it; `life` of None does not end by itself. Raises `UsageError`."""
    key = ApiKey(
        id=_new_id(),
        role=_role(role, subject),
        subject=_subject(subject),
        scopes=_scopes(scopes),
        label=_line(label),
        created=now,
        expires=None if life is None else now + _bounded(life, MAX_LIFE, "life"),
    )
    secret = new_secret(key.id)
    table.add(key, digest_of(table.pepper, secret), by=by)
    return Issued(key=key, secret=secret)


def rotate(table: ApiKeyTable, key_id: str, *, grace: timedelta, now: datetime, by: str = "") -> Issued:
    """Make a key like another one, which works on for the time of grace. Raises `NotFound`, `UsageError`."""
    old = _working(table, key_id, now)
    if old.replaced_by is not None:
        raise NotFound(f"key `{old.id}` is replaced already by `{old.replaced_by}`", hint="rotate that one")
    if grace:
        _bounded(grace, MAX_GRACE, "time of grace")
    new = msgspec.structs.replace(
        old, id=_new_id(), created=now, expires=None if old.expires is None else now + (old.expires - old.created)
    )
    ended = msgspec.structs.replace(old, revoked=now + grace, replaced_by=new.id)
    secret = new_secret(new.id)
    table.replace(ended, new, digest_of(table.pepper, secret), by=by)
    return Issued(key=new, secret=secret)


def revoke(table: ApiKeyTable, key_id: str, *, now: datetime, by: str = "") -> ApiKey:
    """End a key now. Raises `NotFound` when there is none of that id that works."""
    ended = msgspec.structs.replace(_working(table, key_id, now), revoked=now)
    table.revoke(ended, by=by)
    return ended


def _new_id() -> str:
    return "".join(secrets.choice(ID_DIGITS) for _ in range(ID_CHARS))


def _working(table: ApiKeyTable, key_id: str, now: datetime) -> ApiKey:
    key = table.key(key_id.strip().upper())
    state = key.state(now)
    if state in {"revoked", "expired"}:
        raise NotFound(f"key `{key.id}` is {state} already", hint="`tocsin keys list` names those that work")
    return key


def _role(role: str, subject: str) -> Role:
    if role not in ROLES:
        raise UsageError(f"not a role: `{role[:80]}`", hint=f"one of {', '.join(ROLES)}")
    if role == "subject" and not subject:
        raise UsageError("a key of role `subject` acts for somebody", hint="name them as `type:id`")
    return cast("Role", role)


def _subject(subject: str) -> str:
    if subject and not (_ENTITY.fullmatch(subject) and subject.isprintable()):
        raise UsageError(f"not an entity: `{subject[:80]}`", hint="an entity is written `type:id`, as `user:ada`")
    return subject


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    wrong = next((s for s in scopes if not _SCOPE.fullmatch(s)), None)
    if wrong is not None:
        raise UsageError(f"not a scope: `{wrong[:80]}`", hint="up to 64 visible characters, no quote, no backslash")
    if len(scopes) > MAX_SCOPES:
        raise UsageError(f"a key has {MAX_SCOPES} scopes at most", hint="give broader ones, or make two keys")
    return tuple(dict.fromkeys(scopes))


def _line(label: str) -> str:
    if len(label) > MAX_LABEL_CHARS or not label.isprintable():
        raise UsageError("a label is one line of printable text", hint=f"{MAX_LABEL_CHARS} characters at most")
    return label


def _bounded(span: timedelta, most: timedelta, what: str) -> timedelta:
    if not timedelta(0) < span <= most:
        raise UsageError(f"a {what} of {span} cannot be", hint=f"above nothing, at most {most.days} days")
    return span
