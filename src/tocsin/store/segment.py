"""One segment file of the journal, read through a mapping: its entries, checked as they are met."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from tocsin.errors import JournalDamaged
from tocsin.store.disk import disk, open_private
from tocsin.store.frame import ENTRY_MAGIC, HEADER_BYTES, EntryHead, SegmentHead, padded, tag_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Entry", "Segment", "damaged", "segment_path", "segments"]

_HINT: Final = "restore the home from a backup; events before this position can still be read"


class Entry(NamedTuple):
    """An entry where it lies: its offset in the segment, its head, the tag before it, its payload."""

    offset: int
    head: EntryHead
    before: bytes
    payload: memoryview

    @property
    def end(self) -> int:
        """Offset of the next entry."""
        return self.offset + HEADER_BYTES + padded(self.head.length)


def segment_path(folder: Path, number: int) -> Path:
    """Where segment `number` lies, counted from 1."""
    return folder / f"{number:08d}.segment"


def damaged(path: Path, offset: int, what: str) -> JournalDamaged:
    """Make the error that names the segment and the byte at which its chain breaks."""
    return JournalDamaged(f"journal segment `{path.name}` is damaged at byte {offset}: {what}", hint=_HINT)


class Segment:
    """A segment mapped for reading up to `limit` bytes (all of it when `None`)."""

    def __init__(self, path: Path, key: bytes, limit: int | None = None) -> None:
        self.path, self._key = path, key
        descriptor = open_private(path, os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            if size < max(HEADER_BYTES, limit or 0):
                raise damaged(path, size, "it is shorter than what was acknowledged")
            with disk(f"map `{path.name}`"):
                self._mapped = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self.raw = memoryview(self._mapped)
        self.size = size
        self.limit = size if limit is None else limit
        head = SegmentHead.unpack(key, bytes(self.raw[:HEADER_BYTES]))
        if head is None:
            raise damaged(path, 0, "its header does not match its checksum")
        self.head = head

    def head_at(self, offset: int) -> EntryHead | None:
        """Read the header at an offset, or `None` where none is whole."""
        return EntryHead.unpack(self._key, bytes(self.raw[offset : offset + HEADER_BYTES]))

    def walk(self, offset: int = HEADER_BYTES, before: bytes | None = None) -> Iterator[Entry | int]:
        """Entries from an offset on, payloads not checked; ends with the offset of a broken header, if any."""
        tag = self.head.before if before is None else before
        while offset < self.limit:
            head = self.head_at(offset)
            start = offset + HEADER_BYTES
            if head is None or start + padded(head.length) > self.limit:
                yield offset
                return
            entry = Entry(offset, head, tag, self.raw[start : start + head.length])
            yield entry
            offset, tag = entry.end, head.tag

    def whole(self, entry: Entry) -> bool:
        """Whether an entry matches its tag, chained to the entry before it."""
        return tag_entry(self._key, entry.before, entry.head.fields(), entry.payload) == entry.head.tag

    def check(self, entry: Entry) -> Entry:
        """Pass an entry on, or raise `JournalDamaged`."""
        if not self.whole(entry):
            raise damaged(self.path, entry.offset, "an entry does not match its checksum")
        return entry

    def later_group(self, offset: int, group: int) -> bool:
        """Whether an entry of a later commit than `group` lies beyond `offset`."""
        raw = self._mapped
        at = raw.find(ENTRY_MAGIC, offset)
        while at >= 0:
            head = self.head_at(at)
            if head is not None and head.group > group:
                return True
            at = raw.find(ENTRY_MAGIC, at + 1)
        return False


def segments(folder: Path) -> list[int]:
    """Numbers of the segments there are, in order; raises `JournalDamaged` where one is missing."""
    numbers = sorted(int(p.stem) for p in folder.glob("*.segment"))
    if numbers and numbers != list(range(1, numbers[-1] + 1)):
        missing = next(n for n in range(1, numbers[-1] + 1) if n not in set(numbers))
        raise damaged(segment_path(folder, missing), 0, "the file is missing")
    return numbers
