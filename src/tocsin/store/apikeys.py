"""API keys of a home: what each may do, whose it is, and a keyed digest in place of its secret.

Any process may write here, whoever writes the journal; a `Follower` tells a running server of it
for the price of a few microseconds a look. Every change is audited in the transaction that makes it.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import sqlalchemy as sa

from tocsin.errors import NotFound, StoreError
from tocsin.record import Role  # noqa: TC001 - msgspec reads the annotations at run time
from tocsin.store.audit import Audit
from tocsin.store.tables import API_KEYS, META

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin.store.tables import Database

__all__ = ["ApiKey", "ApiKeyTable", "Follower", "forget_keys"]

_VERSION: Final = "api-keys"
"""Name of the small value that is drawn anew whenever the table changes."""
_COLUMNS: Final = "id, role, subject, scopes, label, created, expires, revoked, replaced_by, digest"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key, without its secret."""

    id: str
    """Eight digits of Crockford's base 32; the key is the entity `key:ID`."""
    role: Role
    subject: str = ""
    """Entity that a key of role `subject` acts for; for other roles, whose it is."""
    scopes: tuple[str, ...] = ()
    label: str = ""
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    """From when it no longer works; lies ahead while a replaced key is in its time of grace."""
    replaced_by: str | None = None

    def until(self) -> datetime | None:
        """When it stops working, if that is known."""
        return min((t for t in (self.expires, self.revoked) if t is not None), default=None)

    def state(self, now: datetime) -> Literal["active", "replaced", "revoked", "expired"]:
        """How it stands at a time; `replaced` still works until its time of grace is over."""
        if self.revoked is not None and self.revoked <= now:
            return "revoked"
        if self.expires is not None and self.expires <= now:
            return "expired"
        return "active" if self.replaced_by is None else "replaced"

    def described(self, now: datetime) -> dict[str, Any]:
        """Write it as plain values, with how it stands."""
        return {"id": self.id, "state": self.state(now), **msgspec.to_builtins(self)}


class ApiKeyTable:
    """The keys in a home's records.

    `pepper` is 32 bytes of this home, under which secrets are hashed: a stolen table alone lets
    nobody check a guess.
    """

    def __init__(self, database: Database, chain_key: bytes, hash_key: bytes, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._audit = Audit(database, chain_key, clock)
        self.pepper = hashlib.blake2b(key=hash_key, digest_size=32, person=b"tocsin-api-keys").digest()

    def add(self, key: ApiKey, digest: bytes, *, by: str) -> None:
        """Keep a new key."""
        with self._database.write() as connection:
            self._insert(connection, key, digest)
            self._audit.add(connection, by, "key-create", _told(key))

    def replace(self, old: ApiKey, new: ApiKey, digest: bytes, *, by: str) -> None:
        """Keep a new key in place of an old one, which gets the end and the successor that `old` says.

        Raises `NotFound` where somebody else replaced or ended it first.
        """
        untouched = sa.and_(API_KEYS.c.revoked.is_(None), API_KEYS.c.replaced_by.is_(None))
        with self._database.write() as connection:
            self._insert(connection, new, digest)
            self._end(connection, old, untouched)
            detail = {"replaced": old.id, "until": _time(old.revoked), **_told(new)}
            self._audit.add(connection, by, "key-rotate", detail)

    def revoke(self, key: ApiKey, *, by: str) -> None:
        """Give a key the end that it says; raises `NotFound` where it had come to an end before."""
        working = sa.or_(API_KEYS.c.revoked.is_(None), API_KEYS.c.revoked > _time(key.revoked))
        with self._database.write() as connection:
            self._end(connection, key, working)
            self._audit.add(connection, by, "key-revoke", {"key": key.id, "at": _time(key.revoked)})

    def every(self) -> list[ApiKey]:
        """All keys, in the order they were made."""
        query = sa.select(API_KEYS).order_by(API_KEYS.c.created, API_KEYS.c.id)
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(query)]

    def key(self, key_id: str) -> ApiKey:
        """One key; raises `NotFound`."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.id == key_id)).one_or_none()
        if row is None:
            raise NotFound(f"no key `{key_id[:80]}`", hint="`tocsin keys list` names those there are")
        return _key(row)

    def follow(self) -> Follower:
        """Watch the table from a connection of its own."""
        return Follower(self._database.path)

    @staticmethod
    def _insert(connection: sa.Connection, key: ApiKey, digest: bytes) -> None:
        row: dict[str, Any] = msgspec.structs.asdict(key) | {
            "scopes": " ".join(key.scopes),
            "created": _time(key.created),
            "expires": _time(key.expires),
            "revoked": _time(key.revoked),
            "digest": digest,
        }
        connection.execute(API_KEYS.insert().values(**row))
        _announce(connection)

    @staticmethod
    def _end(connection: sa.Connection, key: ApiKey, where: sa.ColumnElement[bool]) -> None:
        query = API_KEYS.update().where(API_KEYS.c.id == key.id, where)
        if not connection.execute(query.values(revoked=_time(key.revoked), replaced_by=key.replaced_by)).rowcount:
            raise NotFound(f"somebody else ended key `{key.id}` first", hint="`tocsin keys list` names those that work")
        _announce(connection)


class Follower:
    """Tells when the keys have changed, and how they stand then; never waits for a writer."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only=ON")
        self._data_version = -1
        self._version: bytes | None = None
        self._read = False

    def news(self) -> list[tuple[ApiKey, bytes]] | None:
        """Give every key with its digest where any has changed since the last call, else None.

        A look costs microseconds while nothing was written. Raises `StoreError`.
        """
        try:
            return self._news()
        except sqlite3.Error as error:
            self._data_version = -1  # what was missed is read as soon as it can be
            raise StoreError(f"the keys could not be read: {error}", hint="check the disk and who owns the home") from (
                error
            )

    def _news(self) -> list[tuple[ApiKey, bytes]] | None:
        (data_version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if data_version == self._data_version:
            return None
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (_VERSION,)).fetchone()
        version = None if row is None else bytes(row[0])
        if self._read and version == self._version:
            self._data_version = data_version
            return None
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM api_keys").fetchall()  # noqa: S608 - a constant
        self._data_version, self._version, self._read = data_version, version, True
        return [(_key(row[:-1]), bytes(row[-1])) for row in rows]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def forget_keys(connection: sa.Connection, subject: str) -> None:
    """Remove the keys that act for a person who is erased, or are theirs."""
    if connection.execute(API_KEYS.delete().where(API_KEYS.c.subject == subject)).rowcount:
        _announce(connection)


def _announce(connection: sa.Connection) -> None:
    fresh = {"name": _VERSION, "value": secrets.token_bytes(16)}
    connection.execute(META.insert().prefix_with("OR REPLACE").values(**fresh))


def _told(key: ApiKey) -> dict[str, Any]:
    """Say of a new key what the audit keeps."""
    told = {"key": key.id, "role": key.role, "subject": key.subject, "scopes": list(key.scopes), "label": key.label}
    return told | {"expires": _time(key.expires)}


def _time(time: datetime | None) -> str | None:
    """Write a time as text that sorts as times in UTC do."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _key(row: Any) -> ApiKey:  # noqa: ANN401 - a row of SQLAlchemy or of sqlite3, columns in the order of `_COLUMNS`
    key_id, role, subject, scopes, label, created, expires, revoked, replaced_by = row[:9]
    return ApiKey(
        id=key_id,
        role=role,
        subject=subject,
        scopes=tuple(scopes.split()),
        label=label,
        created=datetime.fromisoformat(created),
        expires=_moment(expires),
        revoked=_moment(revoked),
        replaced_by=replaced_by,
    )
