"""The audit log: rows chained by a keyed hash, from which a person can still be erased.

A row's hash covers a commitment to its detail, `blake2b(detail, key=salt)`, and not the detail
itself. Erasing a person removes detail and salt from the rows that name them; the chain stays
whole, and the erasure, itself a row, lists which rows it emptied.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from tocsin.errors import StoreError
from tocsin.store.tables import AUDIT, META

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tocsin.store.tables import Database

__all__ = ["ERASE", "Audit", "AuditRow"]

ERASE: Final = "erase"
_HEAD: Final = "audit-head"
_SALT_BYTES: Final = 16


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done, by whom; `detail` is `None` once the person it named was erased."""

    id: int
    time: str
    actor: str
    action: str
    detail: dict[str, Any] | None


class _Erasure(msgspec.Struct, frozen=True):
    audit_rows: frozenset[int] = frozenset()
    """Rows that were emptied."""


def _commitment(salt: bytes, detail: bytes) -> bytes:
    return hashlib.blake2b(detail, key=salt, digest_size=32, person=b"tocsin-detail").digest()


class Audit:
    """The audit log in a home's records."""

    def __init__(self, database: Database, key: bytes, clock: Callable[[], datetime]) -> None:
        self._database, self._key, self._clock = database, key, clock

    def _chain(self, before: bytes, number: int, words: tuple[str, str, str], commitment: bytes) -> bytes:
        row = msgspec.json.encode([before.hex(), number, *words, commitment.hex()])
        return hashlib.blake2b(row, key=self._key, digest_size=32, person=b"tocsin-audit").digest()

    def add(self, connection: sa.Connection, actor: str, action: str, detail: dict[str, Any]) -> None:
        """Add a row within a transaction, so that it stands or falls with what it tells of."""
        last = connection.execute(
            sa.select(AUDIT.c.id, AUDIT.c.hash).order_by(AUDIT.c.id.desc()).limit(1)
        ).one_or_none()
        number, before = (1, bytes(32)) if last is None else (last.id + 1, last.hash)
        salt, body = secrets.token_bytes(_SALT_BYTES), msgspec.json.encode(detail)
        time, commitment = self._clock().isoformat(), _commitment(salt, body)
        link = self._chain(before, number, (time, actor, action), commitment)
        connection.execute(
            AUDIT.insert().values(
                id=number,
                time=time,
                actor=actor,
                action=action,
                detail=body,
                salt=salt,
                commitment=commitment,
                hash=link,
            )
        )
        head = {"name": _HEAD, "value": link}
        connection.execute(META.insert().prefix_with("OR REPLACE").values(**head))

    def write(self, actor: str, action: str, detail: dict[str, Any]) -> None:
        """Add a row in a transaction of its own."""
        with self._database.write() as connection:
            self.add(connection, actor, action, detail)

    def rows(self, limit: int | None = None) -> list[AuditRow]:
        """Rows, the newest first; raises StoreError at one that cannot have been written here."""
        query = sa.select(AUDIT.c.id, AUDIT.c.time, AUDIT.c.actor, AUDIT.c.action, AUDIT.c.detail)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(AUDIT.c.id.desc()).limit(limit)).all()
        return [
            AuditRow(id=r.id, time=r.time, actor=r.actor, action=r.action, detail=_detail(r.id, r.detail))
            for r in found
        ]

    def redact(self, connection: sa.Connection, subject: str) -> list[int]:
        """Empty the rows that name a subject; returns their ids, which the caller must put in an `erase` row."""
        needle = msgspec.json.encode(subject)[1:-1]
        query = sa.select(AUDIT.c.id, AUDIT.c.detail).where(sa.func.instr(AUDIT.c.detail, needle) > 0)
        rows = connection.execute(query).all()
        emptied: list[int] = [r.id for r in rows if _names(msgspec.json.decode(r.detail), subject)]
        connection.execute(AUDIT.update().where(AUDIT.c.id.in_(emptied)).values(detail=None, salt=None))
        return emptied

    def verify(self) -> int | None:
        """Find the first row that was changed, removed or emptied without an erasure; `None` when all is whole."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(AUDIT).order_by(AUDIT.c.id)).all()
            head = connection.execute(sa.select(META.c.value).where(META.c.name == _HEAD)).scalar()
        excused = frozenset[int]().union(*(_emptied_by(r) for r in rows if r.action == ERASE))
        before = bytes(32)
        for number, row in enumerate(rows, 1):
            if row.id != number or not self._holds(row, before, emptied=row.id in excused):
                return number
            before = row.hash
        return None if head == (before if rows else None) else len(rows) + 1

    def _holds(self, row: sa.Row[Any, Any], before: bytes, *, emptied: bool) -> bool:
        if row.detail is None or row.salt is None:
            if not emptied:
                return False
        elif not _committed(row):
            return False
        words = (row.time, row.actor, row.action)
        return bool(row.hash == self._chain(before, row.id, words, row.commitment))


def _committed(row: sa.Row[Any, Any]) -> bool:
    """Whether a row's detail is the one committed to; someone may have written any value of any type here."""
    try:
        return bool(_commitment(row.salt, row.detail) == row.commitment)
    except (TypeError, ValueError):  # not bytes, or a salt that is too long
        return False


def _detail(number: int, body: bytes | None) -> dict[str, Any] | None:
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        hint = "`tocsin audit verify` tells from which row on the log was changed"
        raise StoreError(f"row {number} of the audit log is not as it was written", hint=hint) from error


def _emptied_by(row: sa.Row[Any, Any]) -> frozenset[int]:
    """Rows that an erasure says it emptied; none where the row is not as it was written, which shows by itself."""
    try:
        return msgspec.json.decode(row.detail, type=_Erasure).audit_rows
    except (TypeError, ValueError, msgspec.MsgspecError):
        return frozenset()


def _names(value: object, subject: str) -> bool:
    """Whether a decoded detail holds a text that names the subject."""
    if isinstance(value, dict):
        return any(_names(v, subject) for pair in value.items() for v in pair)
    if isinstance(value, list):
        return any(_names(v, subject) for v in value)
    return isinstance(value, str) and subject in value.replace(",", " ").split()
