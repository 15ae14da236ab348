"""A home: the folder in which one installation keeps everything that must not be lost."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tocsin.errors import StoreError
from tocsin.store.audit import Audit
from tocsin.store.disk import disk, private_folder, replace_file
from tocsin.store.erase import redact, subject_hash
from tocsin.store.files import FileRegistry
from tocsin.store.journal import SEGMENT_BYTES, Journal
from tocsin.store.keys import KeyRing
from tocsin.store.lock import WriterLock
from tocsin.store.records import Records
from tocsin.store.scores import Scores
from tocsin.store.snapshots import Snapshots
from tocsin.store.tables import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Home"]

_HASH_KEY_BYTES: Final = 16
_CHAIN_KEY_BYTES: Final = 32


def _now() -> datetime:
    return datetime.now(UTC)


def _secret(path: Path, size: int, *, make: bool) -> bytes:
    """Read a key kept in a file of its own, made once."""
    try:
        with disk(f"read `{path.name}`"):
            value = path.read_bytes() if path.exists() else b""
    except StoreError as error:
        raise StoreError(error.message, hint="only the owner of a home can open it") from error
    if not value and make:
        value = secrets.token_bytes(size)
        replace_file(path, value)
    if len(value) != size:
        raise StoreError(f"`{path.name}` is not a key of this home", hint="restore the folder `keys` from a backup")
    return value


class Home:
    """Everything kept of one installation; open it with `Home.open`, use it as a context manager.

    Attributes: `journal`, `files`, `scores`, `records`, `snapshots`, and `hash_key`, the 16 bytes
    under which subjects and values are hashed.
    """

    def __init__(self, path: Path, *, writer: bool, clock: Callable[[], datetime], segment_bytes: int) -> None:
        self.path, self.writer = path, writer
        keys = path / "keys"
        if writer:
            for folder in (path, keys, path / "journal", path / "snapshots"):
                private_folder(folder)
        elif not (path / "records.sqlite").exists():
            raise StoreError(f"`{path}` is not a home", hint="a first `tocsin replay` makes one")
        self._lock = WriterLock(path / "lock") if writer else None
        self._closers: list[Callable[[], None]] = []
        try:
            self._open(keys, clock, segment_bytes)
        except BaseException:
            self.close()
            raise

    def _open(self, keys: Path, clock: Callable[[], datetime], segment_bytes: int) -> None:
        self.hash_key = _secret(keys / "hash.key", _HASH_KEY_BYTES, make=self.writer)
        chain_key = _secret(keys / "chain.key", _CHAIN_KEY_BYTES, make=self.writer)
        self._database = Database(self.path / "records.sqlite")
        self._closers.append(self._database.close)
        self.records = Records(self._database, chain_key, clock)
        self._audit = Audit(self._database, chain_key, clock)
        self._keys = KeyRing(keys, writer=self.writer)
        self.files = FileRegistry(self._database, lambda: self.journal.next_seq)
        self.journal = Journal(
            self.path / "journal",
            chain_key,
            self._keys,
            self.files,
            self._erase,
            writer=self.writer,
            segment_bytes=segment_bytes,
        )
        self._closers += [self.journal.close, self._keys.close]
        self.scores = Scores(self.path / "scores.dat", writer=self.writer)
        self._closers.append(self.scores.close)
        self.snapshots = Snapshots(self.path / "snapshots", chain_key, writer=self.writer)
        if self.journal.repaired is not None:
            torn = self.journal.repaired
            detail = {"segment": torn.segment, "offset": torn.offset, "dropped_bytes": torn.dropped_bytes}
            self.records.audit("", "journal-repaired", detail)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        writer: bool,
        clock: Callable[[], datetime] = _now,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Open a home; a writer makes what is missing and repairs a torn tail (`journal.repaired` tells).

        `clock` stamps audit rows, verdicts and lifts. Raises `HomeLocked` when another process
        writes, `JournalDamaged` when acknowledged entries do not check, `StoreError` otherwise.
        """
        return cls(Path(path), writer=writer, clock=clock, segment_bytes=segment_bytes)

    def _erase(self, subject: str) -> int:
        number = self._keys.number(subject_hash(self.hash_key, subject))
        if number is None:
            number = self.journal.key_of(subject)
        rows = 0
        if number is not None:
            rows = self.journal.rows_of(number)
            self._keys.destroy(number)
        redact(self._database, self._audit, subject, rows)
        return rows

    def close(self) -> None:
        """Let go of everything; what was appended and not committed is gone."""
        for closer in reversed(self._closers):
            closer()
        self._closers = []
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
