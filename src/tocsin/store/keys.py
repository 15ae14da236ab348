"""A random key for every subject, in one file of fixed-size records that only ever grows.

A record is 8 bytes of subject hash and 32 of key. A journal row names its key by the record's
number, so reading needs no look-up. Finding the number of a hash, which only the writer does,
goes through an open-addressing table kept in a file beside, mapped, so that ten million subjects
cost page cache and not memory. The table is rebuilt whenever the last writer did not close it.

INVARIANT: a key is on disk before the first journal entry sealed with it. Records past the count
in the last committed entry belong to nobody and are cut off when a writer opens.
"""

from __future__ import annotations

import mmap
import os
import secrets
from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.errors import StoreError
from tocsin.store.cipher import KEY_BYTES, compiled
from tocsin.store.disk import disk, open_private, write_all

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["KeyRing"]

_RECORD_BYTES: Final = 8 + KEY_BYTES
_INDEX_HEAD: Final = 8
_SMALLEST: Final = 1 << 12
_UNKNOWN: Final = np.uint32(0xFFFFFFFF)


@compiled
def _insert(table: NDArray[np.uint32], hashes: NDArray[np.uint64], first: int) -> None:
    """Enter records `first`… into the table; a slot holds the record's number plus one, zero is free."""
    mask = np.uint64(table.size - 1)
    for i in range(hashes.size):
        if hashes[i] == 0:
            continue
        slot = hashes[i] & mask
        while table[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = first + i + 1


@compiled
def _find(
    table: NDArray[np.uint32], records: NDArray[np.uint64], wanted: NDArray[np.uint64], out: NDArray[np.uint32]
) -> int:
    """Write the record numbers of `wanted` hashes to `out`; returns how many have none."""
    mask = np.uint64(table.size - 1)
    missing = 0
    for i in range(wanted.size):
        out[i] = 0xFFFFFFFF
        slot = wanted[i] & mask
        while table[slot] != 0:
            number = table[slot] - 1
            if records[number, 0] == wanted[i]:
                out[i] = number
                break
            slot = (slot + np.uint64(1)) & mask
        missing += out[i] == 0xFFFFFFFF  # noqa: PLR2004 - `_UNKNOWN`, spelled out for the compiler
    return missing


class KeyRing:
    """The subjects' keys of one home; `records` is the file as rows of 40 bytes, mapped."""

    def __init__(self, folder: Path, *, writer: bool) -> None:
        self._path = folder / "subjects.keys"
        self._table_path = folder / "subjects.table"
        self._writer = writer
        flags = os.O_RDWR | os.O_CREAT if writer else os.O_RDONLY
        self._descriptor = open_private(self._path, flags)
        self._table: NDArray[np.uint32] = np.zeros(1, np.uint32)
        self._ready = False
        self._map()

    def _map(self) -> None:
        self.count = os.fstat(self._descriptor).st_size // _RECORD_BYTES
        if self.count:
            mapped = mmap.mmap(self._descriptor, self.count * _RECORD_BYTES, prot=mmap.PROT_READ)
            self.records = np.frombuffer(mapped, np.uint8).reshape(-1, _RECORD_BYTES)
        else:
            self.records = np.empty((0, _RECORD_BYTES), np.uint8)

    def covering(self, count: int) -> NDArray[np.uint8]:
        """Give the records, at least `count` of them: what an entry says were durable when it was written."""
        if self.count < count:
            self._map()
        if self.count < count:
            hint = "restore `keys/subjects.keys` from the same backup as the journal"
            raise StoreError(f"the key file holds {self.count} keys, the journal needs {count}", hint=hint)
        return self.records

    def cut(self, count: int) -> None:
        """Writer, at open: drop records that no committed entry knows of, and make the table ready."""
        self.covering(count)
        if self.count > count or os.fstat(self._descriptor).st_size % _RECORD_BYTES:
            with disk("repair the key file"):
                os.ftruncate(self._descriptor, count * _RECORD_BYTES)
                os.fsync(self._descriptor)
            self._map()
            self._table_path.unlink(missing_ok=True)
        self._open_table()

    def _open_table(self) -> None:
        try:
            stored = self._table_path.stat().st_size
            with self._table_path.open("rb") as file:
                closed_at = int.from_bytes(file.read(_INDEX_HEAD), "little")
        except OSError:
            stored, closed_at = 0, 0
        if closed_at != self.count + 1 or stored < _INDEX_HEAD + 8 * self.count:
            self._rebuild()
            return
        self._table = self._map_table(0)
        self._mark(0)
        self._ready = True

    def _rebuild(self) -> None:
        slots = _SMALLEST
        while slots < 4 * self.count:
            slots *= 2
        self._table_path.unlink(missing_ok=True)
        self._table = self._map_table(slots)
        _insert(self._table, self._hashes(), 0)
        self._ready = True

    def _map_table(self, slots: int) -> NDArray[np.uint32]:
        descriptor = open_private(self._table_path, os.O_RDWR | os.O_CREAT)
        try:
            with disk("grow the key table"):
                if slots:  # the space is taken now: a full disk under a mapping would be a SIGBUS
                    os.posix_fallocate(descriptor, 0, _INDEX_HEAD + 4 * slots)
                return np.frombuffer(mmap.mmap(descriptor, 0), np.uint32)[_INDEX_HEAD // 4 :]
        finally:
            os.close(descriptor)

    def _mark(self, value: int) -> None:
        with disk("mark the key table"):
            descriptor = open_private(self._table_path, os.O_RDWR)
            try:
                os.fsync(descriptor)
                os.pwrite(descriptor, value.to_bytes(_INDEX_HEAD, "little"), 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _hashes(self) -> NDArray[np.uint64]:
        return np.ascontiguousarray(self.records[:, :8]).view(np.uint64)[:, 0]

    def numbers_of(self, subject_hash: int) -> set[int]:
        """Find every key ever made for a subject; more than one where a full disk came between key and table."""
        return set(np.flatnonzero(self._hashes() == np.uint64(subject_hash or 1)).tolist())

    def _look(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
        out = np.empty(hashes.size, np.uint32)
        # 40-byte records are whole words, so the first word of each row is the hash
        words = self.records.view(np.uint64)
        _find(self._table, words, hashes, out)
        return out

    def numbers(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Give the key number of every row, keys made and flushed for subjects not met before."""
        wanted = np.where(hashes == 0, np.uint64(1), hashes)
        found = self._look(wanted)
        missing = found == _UNKNOWN
        if not missing.any():
            return found
        _, first, position = np.unique(wanted[missing], return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))  # numbered as met, so that the same input gives the same file
        fresh = wanted[missing][np.sort(first)]
        start = self.count
        self._append(fresh)
        found[missing] = start + order[position].astype(np.uint32)
        return found

    def _append(self, fresh: NDArray[np.uint64]) -> None:
        rows = np.empty((fresh.size, _RECORD_BYTES), np.uint8)
        rows[:, :8] = fresh.view(np.uint8).reshape(-1, 8)
        rows[:, 8:] = np.frombuffer(secrets.token_bytes(KEY_BYTES * fresh.size), np.uint8).reshape(-1, KEY_BYTES)
        start = self.count
        with disk("write subjects' keys"):
            write_all(self._descriptor, [rows.tobytes()], start * _RECORD_BYTES)
            os.fsync(self._descriptor)
        self._map()
        if 2 * self.count > self._table.size:
            self._rebuild()
        else:
            _insert(self._table, fresh, start)

    def destroy(self, number: int) -> None:
        """Overwrite one record with zeros, for good."""
        with disk("erase a subject's key"):
            write_all(self._descriptor, [bytes(_RECORD_BYTES)], number * _RECORD_BYTES)
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Leave the table so that the next writer can take it as it is."""
        if self._descriptor < 0:
            return
        if self._writer and self._ready:
            self._mark(self.count + 1)
        os.close(self._descriptor)
        self._descriptor = -1
