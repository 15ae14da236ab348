"""The journal: every event and every control, in the order in which they are scored.

Appending only remembers; `commit` seals, frames, writes and flushes all of it at once, and only
what `commit` returned for is acknowledged. A journal that holds more than a few megabytes of
unwritten events writes them early, unacknowledged, so memory stays bounded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from tocsin.errors import StoreError
from tocsin.store.cipher import MAX_SEQ, new_salt
from tocsin.store.disk import disk, open_private, replace_file, write_all
from tocsin.store.frame import COMMIT, CONTROL, EVENTS, EntryHead, SegmentHead, padded
from tocsin.store.pending import PendingControl, PendingEvents, PendingWrites
from tocsin.store.position import ACKNOWLEDGED, Position, TornTail, note, noted, recover, start_of
from tocsin.store.reading import Control, Events, Reader
from tocsin.store.seal import check_batch, seal
from tocsin.store.segment import segment_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from tocsin.store.files import FileRegistry
    from tocsin.store.keys import KeyRing

__all__ = ["SEGMENT_BYTES", "Journal"]

SEGMENT_BYTES: Final = 128 << 20
MAX_CONTROL_BYTES: Final = 64 << 20
_MAX_KIND_BYTES: Final = 255


class Journal:
    """One home's journal; `writer=False` opens it for reading only, beside a running writer."""

    repaired: TornTail | None
    """What opening cut off, if the last writer died in the middle of a write."""

    def __init__(  # noqa: PLR0913 - what a home is made of
        self,
        folder: Path,
        key: bytes,
        keys: KeyRing,
        files: FileRegistry,
        erase: Callable[[str], int],
        *,
        writer: bool,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._folder, self._key, self._keys, self._files = folder, key, keys, files
        self._erase = erase
        self._writer, self._segment_bytes = writer, segment_bytes
        self._reader = Reader(folder, key, keys, files.names)
        self._pending = PendingWrites()
        self._descriptor = self._note = -1
        self.repaired = None
        self._failed = False
        if writer:
            self._open()

    def _open(self) -> None:
        end, self.repaired = recover(self._folder, self._key)
        self._salt = new_salt()
        if end is None:
            end = self._begin_segment(SegmentHead(number=1, first_seq=0, group=0, keys=0, before=bytes(32)))
        self._keys.cut(end.keys)
        self._descriptor = open_private(segment_path(self._folder, end.segment), os.O_RDWR)
        self._note = open_private(self._folder / ACKNOWLEDGED, os.O_RDWR | os.O_CREAT)
        with disk("open the journal"):
            os.fsync(self._descriptor)  # a commit found whole may have died before its flush
            note(self._note, self._key, end)
        self._end = self._committed = end
        self._next_seq = end.seq

    def _begin_segment(self, head: SegmentHead) -> Position:
        replace_file(segment_path(self._folder, head.number), head.pack(self._key))
        return start_of(head)

    @property
    def next_seq(self) -> int:
        """The seq that the next event will have."""
        return self._next_seq if self._writer else self.committed_seq

    @property
    def committed_seq(self) -> int:
        """Events below this seq are acknowledged: they survive anything but damage to the disk."""
        return self._until().seq

    def _until(self) -> Position:
        if self._writer:
            return self._committed
        empty = Position(segment=0, offset=0, seq=0, group=0, keys=0, tag=b"")
        for _ in range(3):  # a note read while it is written does not check; the next read will
            position = noted(self._folder, self._key)
            if position is not None:
                return position
        return empty

    def _must_write(self) -> None:
        if not self._writer:
            raise StoreError("this home was opened for reading", hint="open it with `writer=True`")
        if self._failed:
            raise StoreError("the journal could not be flushed and takes no more", hint="close the home and open it")

    def append_events(self, batch: pa.RecordBatch, subject_hash: NDArray[np.uint64]) -> int:
        """Append events in `EVENT_SCHEMA`, each with the keyed hash of its subject; returns the first one's seq."""
        self._must_write()
        check_batch(batch)
        if len(subject_hash) != batch.num_rows or subject_hash.dtype != np.uint64:
            raise StoreError("every event needs one 64-bit subject hash", hint="pass a `uint64` array, one a row")
        if self._pending.full:  # before anything is taken, so that a full disk here leaves nothing half appended
            self.spill()
        first = self._next_seq
        if first + batch.num_rows >= MAX_SEQ:
            raise StoreError("the journal has used up its sequence numbers", hint="begin a new home")
        self._pending.add_events(batch, subject_hash)
        self._next_seq += batch.num_rows
        return first

    def append_control(self, kind: str, body: bytes) -> int:
        """Append a control; returns the seq of the event that it stands before."""
        self._must_write()
        if not 0 < len(kind.encode()) <= _MAX_KIND_BYTES or len(body) > MAX_CONTROL_BYTES:
            raise StoreError(
                "a control is too large for the journal", hint="keep its kind short, its body below 64 MiB"
            )
        self._pending.add_control(kind, body)
        return self._next_seq

    def commit(self) -> None:
        """Make everything appended since the last commit durable, with one flush, and acknowledge it."""
        self._must_write()
        if not self._pending and self._end == self._committed:
            return
        self.spill()
        group = self._committed.group + 1
        self._write(EntryHead(type=COMMIT, seq=self._end.seq, group=group, keys=self._keys.count), b"")
        end = msgspec.structs.replace(self._end, group=group, keys=self._keys.count)
        try:
            with disk("flush the journal"):
                os.fdatasync(self._descriptor)
                note(self._note, self._key, end)
        except BaseException:
            self._failed = True  # after a failed flush nobody knows what is on disk
            raise
        self._end = self._committed = end

    def spill(self) -> None:
        """Write what waits without flushing or acknowledging it; memory then holds none of it."""
        self._must_write()
        if self._pending and self._end == self._committed and self._end.offset >= self._segment_bytes:
            self._rotate()
        hashes = self._pending.hashes()
        numbers = self._keys.numbers(hashes)
        at = 0
        while self._pending:
            item, count = self._pending.peek()
            if isinstance(item, PendingControl):
                self._write_control(item)
            else:
                self._write_events(item, numbers[at : at + len(item.hashes)])
                at += len(item.hashes)
            self._pending.drop(count)

    def _write_control(self, item: PendingControl) -> None:
        kind = item.kind.encode()
        payload = kind + item.body
        head = EntryHead(
            type=CONTROL, kind_bytes=len(kind), length=len(payload), seq=self._end.seq,
            group=self._committed.group + 1, keys=self._keys.count,
        )  # fmt: skip
        self._write(head, payload)

    def _write_events(self, item: PendingEvents, numbers: NDArray[np.uint32]) -> None:
        files = self._files.numbers(item.batch.column("source_file"))
        seq, rows = self._end.seq, item.batch.num_rows
        sealed, mask = seal(item.batch, self._keys.records, numbers, files, seq, self._salt)
        payload = memoryview(sealed.serialize())
        head = EntryHead(
            type=EVENTS, rows=rows, length=len(payload), seq=seq, group=self._committed.group + 1,
            mask=mask, keys=self._keys.count, salt=self._salt,
        )  # fmt: skip
        self._write(head, payload)

    def _write(self, head: EntryHead, payload: bytes | memoryview) -> None:
        """Write one entry at the end; what fails half-way is cut off again, and its nonces are never reused."""
        header, tag = head.pack(self._key, self._end.tag, payload)
        filling = bytes(padded(head.length) - head.length)
        try:
            with disk("write the journal"):
                offset = write_all(self._descriptor, [header, payload, filling], self._end.offset)
        except BaseException:
            self._salt = new_salt()
            os.ftruncate(self._descriptor, self._end.offset)
            raise
        self._end = msgspec.structs.replace(self._end, offset=offset, seq=head.seq + head.rows, tag=tag)

    def _rotate(self) -> None:
        old = self._committed
        head = SegmentHead(
            number=old.segment + 1, first_seq=old.seq, group=old.group, keys=old.keys, before=old.tag
        )  # fmt: skip
        end = self._begin_segment(head)
        descriptor = open_private(segment_path(self._folder, end.segment), os.O_RDWR)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._end = self._committed = end

    def read(self, start_seq: int = 0) -> Iterator[Events | Control]:
        """Iterate over committed events from `start_seq` on, and the controls that stand before each of them, in order.

        Raises `JournalDamaged` at the first entry that does not match its checksum.
        """
        return self._reader.read(start_seq, self._until())

    def take(self, seqs: NDArray[np.int64]) -> pa.Table:
        """Fetch committed rows by seq, in the order asked for; raises `NotFound` for a seq that is not there."""
        return self._reader.take(seqs, self._until())

    def verify(self) -> int:
        """Check every entry of every segment; returns how many there are, or raises `JournalDamaged`."""
        return sum(1 for _ in self._reader.entries(-1, self._until()))

    def lines(self, digest: str) -> NDArray[np.int64]:
        """Every `source_line` already journaled for the file of that digest, in journal order."""
        found = self._files.lookup(digest)
        if found is None:
            return np.empty(0, np.int64)
        number, first_seq = found
        return self._reader.lines([number], first_seq, self._until())[number]

    def lines_of_partial(self) -> dict[str, NDArray[np.int64]]:
        """Give, in one pass, the lines already journaled of every file that is not wholly journaled, by digest."""
        partial = self._files.partial()
        if not partial:
            return {}
        first_seq = min(first for _, first in partial.values())
        lines = self._reader.lines([number for number, _ in partial.values()], first_seq, self._until())
        return {digest: lines[number] for digest, (number, _) in partial.items()}

    def read_files(self, files: Collection[int], first_seq: int = 0) -> Iterator[Events]:
        """Iterate over committed events from `first_seq` on, leaving out runs in which no row is of these files."""
        return self._reader.of_files(files, first_seq, self._until())

    def erase(self, subject: str) -> int:
        """Destroy a subject's key, so that its rows read back as `erased`; returns how many rows those are.

        Commits first. Records that name the subject are emptied too, and the erasure is audited.
        """
        self.commit()
        return self._erase(subject)

    def seqs_of(self, subject: str) -> NDArray[np.int64]:
        """Find the committed events of a subject by opening every row."""
        return self._reader.seqs_of(subject, self._until())

    def rows_of(self, key_numbers: set[int]) -> int:
        """Count the committed rows that are sealed with any of these keys."""
        return self._reader.rows_of(key_numbers, self._until())

    def keys_of(self, subject: str) -> set[int]:
        """Find the keys that seal a subject's rows by opening every row; misses nothing, whatever hash was given."""
        return self._reader.keys_of(subject, self._until())

    def close(self) -> None:
        """Let go of the files; what was not committed is gone."""
        for descriptor in (self._descriptor, self._note):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._note = -1
        self._writer = False
