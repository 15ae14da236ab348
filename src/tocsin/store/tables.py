"""The tables of `records.sqlite`, and how it is opened: WAL, flushed at every commit, owner only."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from tocsin.errors import StoreError
from tocsin.store.disk import full_disk, open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ALERTS", "ANSWERS", "API_KEYS", "AUDIT", "FILES", "FINDINGS", "META", "RESTRICTIONS", "Database"]

_METADATA: Final = sa.MetaData()

FINDINGS: Final = sa.Table(
    "findings",
    _METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("alert_id", sa.Text, nullable=False, index=True),
    sa.Column("entity", sa.Text, nullable=False, index=True),
    sa.Column("seq", sa.Integer, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
ALERTS: Final = sa.Table(
    "alerts",
    _METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("last_time", sa.Text, nullable=False, index=True),
    sa.Column("tail_bits", sa.Float, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("verdict_by", sa.Text),
    sa.Column("verdict_at", sa.Text),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
RESTRICTIONS: Final = sa.Table(
    "restrictions",
    _METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("entity", sa.Text, nullable=False, index=True),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("expires", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("lifted_by", sa.Text),
    sa.Column("lifted_at", sa.Text),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
AUDIT: Final = sa.Table(
    "audit",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("detail", sa.LargeBinary),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
API_KEYS: Final = sa.Table(
    "api_keys",
    _METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("expires", sa.Text),
    sa.Column("revoked", sa.Text),
    sa.Column("replaced_by", sa.Text),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)
ANSWERS: Final = sa.Table(
    "answers",
    _METADATA,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("time", sa.Text, nullable=False, index=True),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
META: Final = sa.Table(
    "meta", _METADATA, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.LargeBinary, nullable=False)
)
FILES: Final = sa.Table(
    "files",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("source_file", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, unique=True),
    sa.Column("format", sa.Text),
    sa.Column("first_seq", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)

_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
_WAIT_S: Final = 10


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own record
    connection.isolation_level = None  # transactions are begun by `_begin`, not guessed by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class Database:
    """The SQLite file of one home. Several processes may use it at once; writes queue for a few seconds."""

    def __init__(self, path: Path, *, make: bool) -> None:
        self.path = path
        os.close(open_private(path, os.O_RDWR | os.O_CREAT))
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": _WAIT_S})
        sa.event.listen(self._engine, "connect", _prepare)
        sa.event.listen(self._engine, "begin", _begin)
        self._writing = self._engine.execution_options(immediate=True)
        if make:
            with self.write() as connection:
                _METADATA.create_all(connection)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlite_errorcode", None) in _FULL:
                raise full_disk("write the records") from error
            hint = "another process may hold it; if not, check the disk and who owns the home"
            raise StoreError(f"the records could not be read or written: {error.orig}", hint=hint) from error

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that writes; all of it is durable when the block ends, or none."""
        with self._told(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view."""
        with self._told(), self._engine.begin() as connection:
            yield connection

    def forget_old_pages(self) -> None:
        """Move what was overwritten out of the write-ahead log, so that it is on disk nowhere."""
        with self._told(), self._engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
