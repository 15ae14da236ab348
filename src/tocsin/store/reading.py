"""Reading the journal back: in order, at random, and the clear columns alone. Needs no lock."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.errors import NotFound
from tocsin.event import EVENT_SCHEMA
from tocsin.store.disk import disk
from tocsin.store.frame import CONTROL, EVENTS, HEADER_BYTES, SegmentHead
from tocsin.store.seal import SEALED, open_sealed, sealed_schema
from tocsin.store.segment import Entry, Segment, damaged, segment_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin.store.keys import KeyRing
    from tocsin.store.position import Position

__all__ = ["Control", "Events", "Reader"]

_KEPT_SEGMENTS: Final = 8


@dataclass(frozen=True, slots=True)
class Events:
    """A run of events in `EVENT_SCHEMA`; row `i` has seq `first_seq + i`.

    `erased` marks rows whose key was destroyed, and is `None` where there are none.
    `subject_hash` is what the writer gave with them (0 for erased rows), `files` the number of each row's file.
    """

    first_seq: int
    batch: pa.RecordBatch
    subject_hash: NDArray[np.uint64]
    erased: NDArray[np.bool_] | None = None
    files: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Control:
    """Something other than an event that changes scores; it stands before event `seq`."""

    seq: int
    kind: str
    body: bytes


class _Place(NamedTuple):
    """An entry of events, and the segment that it lies in."""

    segment: Segment
    entry: Entry


class Reader:
    """Reads one journal folder up to the position that `until` gives at the time of each call."""

    def __init__(self, folder: Path, key: bytes, keys: KeyRing, names: Callable[[NDArray[np.int32]], pa.Array]) -> None:
        self._folder, self._key, self._keys, self._names = folder, key, keys, names
        self._first_seqs: list[int] = []
        self._open: OrderedDict[int, tuple[Segment, list[int], list[Entry]]] = OrderedDict()

    def _starts(self, until: Position) -> list[int]:
        """First seq of every segment; heads are read once."""
        for number in range(len(self._first_seqs) + 1, until.segment + 1):
            path = segment_path(self._folder, number)
            try:
                with disk(f"read `{path.name}`"), path.open("rb") as file:
                    head = SegmentHead.unpack(self._key, os.pread(file.fileno(), HEADER_BYTES, 0))
            except FileNotFoundError:
                head = None
            if head is None:
                raise damaged(path, 0, "its header does not match its checksum")
            self._first_seqs.append(head.first_seq)
        return self._first_seqs

    def _segment(self, number: int, until: Position) -> Segment:
        limit = until.offset if number == until.segment else None
        return Segment(segment_path(self._folder, number), self._key, limit)

    def entries(self, start_seq: int, until: Position) -> Iterator[_Place]:
        """Entries from the first that concerns `start_seq` on, each checked against its tag.

        INVARIANT: the chain runs on from segment to segment; a segment starts with the tag before it.
        """
        starts = self._starts(until)
        first = max(0, bisect_left(starts, start_seq, 0, until.segment) - 1)
        tag: bytes | None = None
        for number in range(first + 1, until.segment + 1):
            segment = self._segment(number, until)
            if tag is not None and segment.head.before != tag:
                raise damaged(segment.path, 0, "it does not follow the segment before it")
            tag = segment.head.before
            for item in segment.walk():
                if isinstance(item, int):
                    raise damaged(segment.path, item, "an entry's header does not match its checksum")
                tag = item.head.tag
                if item.head.seq + item.head.rows > start_seq or (
                    item.head.type == CONTROL and item.head.seq == start_seq
                ):
                    yield _Place(segment, segment.check(item))

    def read(self, start_seq: int, until: Position) -> Iterator[Events | Control]:
        """Events from `start_seq` and controls from that position, in order."""
        for _, entry in self.entries(start_seq, until):
            if entry.head.type == CONTROL:
                kind, body = entry.payload[: entry.head.kind_bytes], entry.payload[entry.head.kind_bytes :]
                yield Control(entry.head.seq, bytes(kind).decode(), bytes(body))
            elif entry.head.type == EVENTS:
                skip = max(0, start_seq - entry.head.seq)
                rows = np.arange(skip, entry.head.rows)
                yield self._open_rows(entry, None if not skip else rows)

    def sealed(self, entry: Entry) -> pa.RecordBatch:
        """Read the payload of an entry of events as it lies on disk."""
        schema = sealed_schema(entry.head.mask)
        return pa.ipc.read_record_batch(pa.py_buffer(entry.payload), schema)

    def lines(self, files: Collection[int], first_seq: int, until: Position) -> dict[int, NDArray[np.int64]]:
        """Collect the lines of each file journaled from `first_seq` on; reads only what is in the clear."""
        found = {file: [np.empty(0, np.int64)] for file in files}
        for _, entry in self.entries(first_seq, until):
            if entry.head.type == EVENTS:
                sealed = self.sealed(entry)
                numbers = sealed.column("file").to_numpy()
                for file in found.keys() & set(np.unique(numbers).tolist()):
                    lines = sealed.column("line").filter(pa.array(numbers == file))
                    found[file].append(lines.drop_null().to_numpy())
        return {file: np.concatenate(parts) for file, parts in found.items()}

    def of_files(self, files: Collection[int], first_seq: int, until: Position) -> Iterator[Events]:
        """Entries of events from `first_seq` on of which any stands in one of these files, whole."""
        wanted = np.fromiter(files, np.int32)
        for _, entry in self.entries(first_seq, until):
            if entry.head.type == EVENTS and np.isin(self.sealed(entry).column("file").to_numpy(), wanted).any():
                yield self._open_rows(entry, None)

    def rows_of(self, key_numbers: set[int], until: Position) -> int:
        """Count the rows sealed with any of these keys."""
        wanted = pa.array(sorted(key_numbers), pa.uint32())
        keys = (self.sealed(e).column("key") for _, e in self.entries(-1, until) if e.head.type == EVENTS)
        return sum(pc.sum(pc.is_in(k, value_set=wanted)).as_py() for k in keys)

    def seqs_of(self, subject: str, until: Position) -> NDArray[np.int64]:
        """Find the events whose subject reads as the one given."""
        found = [np.empty(0, np.int64)]
        for _, entry in self.entries(-1, until):
            if entry.head.type == EVENTS:
                named = pc.equal(self._open_rows(entry, None).batch.column("subject"), subject)
                found.append(entry.head.seq + np.flatnonzero(named.to_numpy(zero_copy_only=False)))
        return np.concatenate(found)

    def keys_of(self, subject: str, until: Position) -> set[int]:
        """Find the keys of all rows whose subject reads as the one given."""
        found: set[int] = set()
        for _, entry in self.entries(-1, until):
            if entry.head.type == EVENTS:
                named = pc.equal(self._open_rows(entry, None).batch.column("subject"), subject)
                found.update(self.sealed(entry).column("key").filter(named).to_pylist())
        return found

    def _open_rows(self, entry: Entry, rows: NDArray[np.int64] | None) -> Events:
        sealed, head = self.sealed(entry), entry.head
        seqs = np.arange(head.seq, head.seq + head.rows)
        if rows is not None:
            sealed, seqs = sealed.take(pa.array(rows)), seqs[rows]
        records = self._keys.covering(head.keys)
        columns, gone = open_sealed(sealed, records, seqs, head.salt)
        plain = dict(zip((f.name for f in SEALED), columns, strict=True))
        plain["source_file"] = self._names(sealed.column("file").to_numpy())
        plain["source_line"] = sealed.column("line")
        batch = pa.RecordBatch.from_arrays([plain[f.name] for f in EVENT_SCHEMA], schema=EVENT_SCHEMA)
        hashes = np.ascontiguousarray(records[sealed.column("key").to_numpy(), :8]).view(np.uint64)[:, 0]
        first = int(seqs[0]) if seqs.size else head.seq
        return Events(first, batch, hashes, gone if gone.any() else None, sealed.column("file").to_numpy())

    def take(self, seqs: NDArray[np.int64], until: Position) -> pa.Table:
        """Rows of the given seqs, in the order given; raises `NotFound` for a seq not yet committed."""
        wanted = np.asarray(seqs, np.int64)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < until.seq):
            raise NotFound("the journal has no such event", hint=f"it holds events 0 to {until.seq - 1}")
        order = np.argsort(wanted, kind="stable")
        ranked, batches, at = wanted[order], [], 0
        while at < ranked.size:
            segment, entry = self._find(int(ranked[at]), until)
            upto = int(np.searchsorted(ranked, entry.head.seq + entry.head.rows))
            batches.append(self._open_rows(segment.check(entry), ranked[at:upto] - entry.head.seq).batch)
            at = upto
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        return pa.Table.from_batches(batches, EVENT_SCHEMA).take(pa.array(back))

    def _find(self, seq: int, until: Position) -> _Place:
        starts = self._starts(until)
        number = bisect_left(starts, seq + 1, 0, until.segment)
        segment, firsts, entries = self._index(number, until)
        return _Place(segment, entries[bisect_left(firsts, seq + 1) - 1])

    def _index(self, number: int, until: Position) -> tuple[Segment, list[int], list[Entry]]:
        """Entries of events of one segment with their first seqs; the last few segments are kept."""
        known = self._open.get(number)
        if known is None or (number == until.segment and known[0].limit != until.offset):
            segment = self._segment(number, until)
            entries = []
            for item in segment.walk():
                if isinstance(item, int):
                    raise damaged(segment.path, item, "an entry's header does not match its checksum")
                if item.head.type == EVENTS:
                    entries.append(item)
            known = (segment, [e.head.seq for e in entries], entries)
            self._open[number] = known
            while len(self._open) > _KEPT_SEGMENTS:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return known
