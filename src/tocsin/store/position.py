"""Where the journal ends: found at open by walking the last segment, and noted after every commit.

The note (`acknowledged`) is written after each flush and not flushed itself, so it is never ahead
of the truth: what it names was acknowledged, and damage before it is damage, not a torn tail.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.store.disk import disk
from tocsin.store.frame import COMMIT, EVENTS, HEADER_BYTES, SegmentHead
from tocsin.store.segment import Segment, damaged, segment_path, segments

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ACKNOWLEDGED", "Position", "TornTail", "note", "noted", "recover"]

ACKNOWLEDGED: Final = "acknowledged"
_NOTE: Final = struct.Struct("<5Q32s")


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An end of the journal between two commits."""

    segment: int
    offset: int
    seq: int
    """Of the next event."""
    group: int
    """Number of the last commit."""
    keys: int
    tag: bytes
    """Of the last entry."""


class TornTail(msgspec.Struct, frozen=True, kw_only=True):
    """What opening a journal cut off: a write that was under way, and not acknowledged, when the writer died."""

    segment: str
    offset: int
    dropped_bytes: int


def _sum(key: bytes, fields: bytes) -> bytes:
    return hashlib.blake2b(fields, key=key, digest_size=16, person=b"tocsin-note").digest()


def note(descriptor: int, key: bytes, at: Position) -> None:
    """Write down an acknowledged position. Raises `OSError`."""
    fields = _NOTE.pack(at.segment, at.offset, at.seq, at.group, at.keys, at.tag)
    os.pwrite(descriptor, fields + _sum(key, fields), 0)


def noted(folder: Path, key: bytes) -> Position | None:
    """Read the last position written down, or `None` where there is none (or none that is whole)."""
    try:
        raw = (folder / ACKNOWLEDGED).read_bytes()
    except FileNotFoundError:
        return None
    fields = raw[: _NOTE.size]
    if len(fields) < _NOTE.size or raw[_NOTE.size :] != _sum(key, fields):
        return None
    segment, offset, seq, group, keys, tag = _NOTE.unpack(fields)
    return Position(segment=segment, offset=offset, seq=seq, group=group, keys=keys, tag=tag)


def start_of(head: SegmentHead) -> Position:
    """Give the position before the first entry of a segment."""
    return Position(
        segment=head.number, offset=HEADER_BYTES, seq=head.first_seq, group=head.group, keys=head.keys, tag=head.before
    )


def last_commit(segment: Segment) -> tuple[Position, int | None]:
    """Find the end of the last whole commit in a segment, and where the chain breaks, if it does."""
    end = start_of(segment.head)
    seq = end.seq
    for item in segment.walk():
        if isinstance(item, int):
            return end, item
        head = item.head
        if head.seq != seq or head.group != end.group + 1 or not segment.whole(item):
            return end, item.offset
        seq += head.rows if head.type == EVENTS else 0
        if head.type == COMMIT:
            end = Position(
                segment=end.segment, offset=item.end, seq=seq, group=head.group, keys=head.keys, tag=head.tag
            )
    return end, None


def recover(folder: Path, key: bytes) -> tuple[Position | None, TornTail | None]:
    """Find where the journal ends, cutting off what was never acknowledged; `None` for an empty folder.

    Raises `JournalDamaged` when acknowledged entries of the last segment do not check. Segments
    before the last are checked as they are read, and all of them by `Journal.verify`.
    """
    numbers, known = segments(folder), noted(folder, key)
    if known is not None and known.segment > len(numbers):
        raise damaged(segment_path(folder, known.segment), 0, "the file is missing")
    if not numbers:
        return None, None
    if known is not None and known.segment < len(numbers):
        Segment(segment_path(folder, known.segment), key, known.offset)
    path = segment_path(folder, numbers[-1])
    segment = Segment(path, key)
    end, broken = last_commit(segment)
    lost = known is not None and known.segment == end.segment and known.offset > end.offset
    if lost or (broken is not None and segment.later_group(broken, end.group + 1)):
        raise damaged(path, end.offset if broken is None else broken, "an acknowledged entry does not match")
    if end.offset == segment.size:
        return end, None
    with disk(f"repair `{path.name}`"):
        os.truncate(path, end.offset)
    return end, TornTail(segment=path.name, offset=end.offset, dropped_bytes=segment.size - end.offset)
