"""A home: the folder in which one installation keeps everything that must not be lost."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tocsin.errors import StoreError
from tocsin.store.answers import Answers
from tocsin.store.apikeys import ApiKeyTable
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
    from collections.abc import Callable, Iterator
    from types import TracebackType

__all__ = ["Home", "open_api_keys"]

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

    Attributes: `journal`, `files`, `scores`, `records`, `api_keys`, `answers`, `snapshots`, and
    `hash_key`, the 16 bytes under which subjects and values are hashed.
    """

    def __init__(self, path: Path, *, writer: bool, clock: Callable[[], datetime], segment_bytes: int) -> None:
        self.path, self.writer = path, writer
        keys = path / "keys"
        if writer:
            for folder in (path, keys, path / "journal", path / "snapshots"):
                private_folder(folder)
        elif not (path / "records.sqlite").exists():
            raise StoreError(f"`{path}` is not a home", hint="a first `tocsin replay` makes one")
        with ExitStack() as stack:
            if writer:
                stack.callback(WriterLock(path / "lock").release)
            self._open(stack, keys, clock, segment_bytes)
            self._opened = stack.pop_all()

    def _open(self, stack: ExitStack, keys: Path, clock: Callable[[], datetime], segment_bytes: int) -> None:
        make = self.writer and not (self.path / "records.sqlite").exists()  # a key lost later is not made anew
        self.hash_key = _secret(keys / "hash.key", _HASH_KEY_BYTES, make=make)
        chain_key = _secret(keys / "chain.key", _CHAIN_KEY_BYTES, make=make)
        self._database = Database(self.path / "records.sqlite", make=self.writer)
        stack.callback(self._database.close)
        self.records = Records(self._database, chain_key, clock)
        self.api_keys = ApiKeyTable(self._database, chain_key, self.hash_key, clock)
        self.answers = Answers(self._database)
        self._audit = Audit(self._database, chain_key, clock)
        self._keys = KeyRing(keys, writer=self.writer)
        stack.callback(self._keys.close)
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
        stack.callback(self.journal.close)
        self.scores = Scores(self.path / "scores.dat", writer=self.writer)
        stack.callback(self.scores.close)
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
        numbers = self._keys.numbers_of(subject_hash(self.hash_key, subject)) | self.journal.keys_of(subject)
        rows = self.journal.rows_of(numbers)
        for number in sorted(numbers):
            self._keys.destroy(number)
        redact(self._database, self._audit, subject, rows)
        return rows

    def close(self) -> None:
        """Let go of everything; what was appended and not committed is gone. A second call does nothing."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def open_api_keys(path: Path, *, make: bool, clock: Callable[[], datetime] = _now) -> Iterator[ApiKeyTable]:
    """Open the API keys of a home alone, whoever writes to it; `make` makes the home where there is none.

    Raises `StoreError` when there is none and none is to be made.
    """
    if not (path / "records.sqlite").exists():
        if not make:
            raise StoreError(f"`{path}` is not a home", hint="`tocsin keys create` or `tocsin replay` makes one")
        Home.open(path, writer=True, clock=clock).close()
    hash_key = _secret(path / "keys" / "hash.key", _HASH_KEY_BYTES, make=False)
    chain_key = _secret(path / "keys" / "chain.key", _CHAIN_KEY_BYTES, make=False)
    database = Database(path / "records.sqlite", make=True)  # a home of an earlier version has no such table
    try:
        yield ApiKeyTable(database, chain_key, hash_key, clock)
    finally:
        database.close()
