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
    from collections.abc import Callable

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
        with self._database.write() as connection:
            known = connection.execute(sa.select(FILES.c.number).where(FILES.c.digest == digest)).scalar()
            if known is None:
                values = {"source_file": source_file, "digest": digest, "format": format, "state": "partial"}
                connection.execute(
                    FILES.insert().values(number=self._free(connection), first_seq=self._next_seq(), **values)
                )
        self._load()
        if (found := self.lookup(digest)) is not None:
            self._begun[source_file] = found[0]
            self._numbers[source_file] = found[0]

    @staticmethod
    def _free(connection: sa.Connection) -> int:
        return int(connection.execute(sa.select(sa.func.count()).select_from(FILES)).scalar_one())

    def done(self, digest: str) -> None:
        """Say that all of a file is journaled; call it after the commit that made it so."""
        with self._database.write() as connection:
            connection.execute(FILES.update().where(FILES.c.digest == digest).values(state="done"))

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
