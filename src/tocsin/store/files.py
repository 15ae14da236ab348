"""Which inputs were read: by content, so that a renamed file is recognised and a changed one is not.

A row in the journal names its file by number. A file whose digest was never told (a live stream)
still gets a number, by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from tocsin.store.tables import FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tocsin.store.tables import Database

__all__ = ["FileRegistry"]

NO_FILE = -1


class FileRegistry:
    """The inputs of one home; `next_seq` tells where the journal stands when one is begun."""

    def __init__(self, database: Database, next_seq: Callable[[], int]) -> None:
        self._database, self._next_seq = database, next_seq
        self._numbers: dict[str, int] = {}
        self._begun: dict[str, int] = {}  # of two files that had one name, rows belong to the one begun last
        self._names = pa.array([], pa.string())
        self._load()

    def _load(self) -> None:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(FILES.c.number, FILES.c.source_file).order_by(FILES.c.number)).all()
        self._numbers = {name: number for number, name in rows} | self._begun
        self._names = pa.array([name for _, name in rows], pa.string())

    def begin(self, digest: str, source_file: str, format: str) -> None:  # noqa: A002 - the word for it
        """Say that a file is about to be journaled; one begun before keeps its number, place and first name."""
        self.begin_all([(digest, source_file, format)])

    def begin_all(self, files: Sequence[tuple[str, str, str]]) -> None:
        """Say of many files, each a digest, a name and a format, what `begin` says of one."""
        with self._database.write() as connection:
            number = self._free(connection)
            for digest, source_file, name in files:
                if self._number(connection, digest) is None:
                    values = {"source_file": source_file, "digest": digest, "format": name, "state": "partial"}
                    connection.execute(FILES.insert().values(number=number, first_seq=self._next_seq(), **values))
                    number += 1
            begun = {source_file: self._number(connection, digest) for digest, source_file, _ in files}
        self._begun |= {name: number for name, number in begun.items() if number is not None}
        self._load()

    @staticmethod
    def _number(connection: sa.Connection, digest: str) -> int | None:
        number: int | None = connection.execute(sa.select(FILES.c.number).where(FILES.c.digest == digest)).scalar()
        return number

    @staticmethod
    def _free(connection: sa.Connection) -> int:
        return int(connection.execute(sa.select(sa.func.count()).select_from(FILES)).scalar_one())

    def done(self, digest: str) -> None:
        """Say that all of a file is journaled; call it after the commit that made it so."""
        self.done_all([digest])

    def done_all(self, digests: Sequence[str]) -> None:
        """Say of many files what `done` says of one."""
        with self._database.write() as connection:
            for digest in digests:
                connection.execute(FILES.update().where(FILES.c.digest == digest).values(state="done"))

    def partial(self) -> dict[str, tuple[int, int]]:
        """Files not wholly journaled, by digest: their number and the seq that was next when they were begun."""
        query = sa.select(FILES.c.digest, FILES.c.number, FILES.c.first_seq).where(FILES.c.state == "partial")
        with self._database.read() as connection:
            return {row.digest: (row.number, row.first_seq) for row in connection.execute(query)}

    def state(self, digest: str) -> Literal["partial", "done"] | None:
        """How far a file got; `None` when it was never begun."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(FILES.c.state).where(FILES.c.digest == digest)).scalar()
        return None if found is None else "done" if found == "done" else "partial"

    def lookup(self, digest: str) -> tuple[int, int] | None:
        """Look up a file's number and the seq that was next when it was begun."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(FILES.c.number, FILES.c.first_seq).where(FILES.c.digest == digest))
            row = found.one_or_none()
        return None if row is None else (row.number, row.first_seq)

    def numbers(self, source_files: pa.Array) -> NDArray[np.int32]:
        """Give the number of every row's file (-1 for none); names not met before are registered first."""
        coded = source_files.dictionary_encode()
        names = coded.dictionary.to_pylist()
        unmet = [n for n in names if n is not None and n not in self._numbers]
        if unmet:
            self._register(unmet)
        of_name = np.array([*(NO_FILE if n is None else self._numbers[n] for n in names), NO_FILE], np.int32)
        at: NDArray[np.int32] = coded.indices.fill_null(len(names)).to_numpy()
        return of_name[at]

    def _register(self, names: list[str]) -> None:
        with self._database.write() as connection:
            first = self._free(connection)
            for number, name in enumerate(names, first):
                values = {"number": number, "source_file": name, "first_seq": self._next_seq(), "state": "open"}
                connection.execute(FILES.insert().values(**values))
        self._load()

    def names(self, numbers: NDArray[np.int32]) -> pa.Array:
        """Give the name of every row's file."""
        if numbers.size and int(numbers.max()) >= len(self._names):
            self._load()
        return self._names.take(pa.array(numbers, mask=numbers == NO_FILE))
