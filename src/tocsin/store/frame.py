"""How an entry lies in a segment: 128 bytes of header, the payload, padding to 64 bytes.

The tag of an entry is HMAC-SHA256, under the home's key, over the tag before it, this header and
the payload: whoever changes, drops, adds or reorders an entry without the key breaks the chain
from there on. HMAC-SHA256 was measured at 1.8 GB/s here against 0.9 for keyed BLAKE2b.

A second, short tag covers the header alone. It lets recovery recognise entries that lie beyond a
damaged one, and so tell damage (later commits exist) from a torn tail (none does).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final

import msgspec

__all__ = [
    "ALIGN",
    "COMMIT",
    "CONTROL",
    "ENTRY_MAGIC",
    "EVENTS",
    "HEADER_BYTES",
    "SEGMENT_MAGIC",
    "EntryHead",
    "SegmentHead",
    "padded",
    "tag_entry",
]

ENTRY_MAGIC: Final = b"TJE1"
SEGMENT_MAGIC: Final = b"TOCSINJ1"
EVENTS: Final = 1
CONTROL: Final = 2
COMMIT: Final = 3
"""Ends what one `commit` made durable; an entry not followed by one was never acknowledged."""
ALIGN: Final = 64
HEADER_BYTES: Final = 128
_ENTRY: Final = struct.Struct("<4sBBHII6Q6s2x")
_SEGMENT: Final = struct.Struct("<8s4Q32s")
_TAG: Final = slice(72, 104)
_CHECK: Final = slice(104, 120)


def padded(size: int) -> int:
    """Bytes that a payload takes with its padding."""
    return (size + ALIGN - 1) & ~(ALIGN - 1)


def _short(key: bytes, head: bytes) -> bytes:
    return hashlib.blake2b(head, key=key, digest_size=16, person=b"tocsin-head").digest()


def tag_entry(key: bytes, before: bytes, head: bytes, payload: bytes | memoryview) -> bytes:
    """Chain an entry to the one before it: the keyed hash of that one's tag, this head and the payload."""
    chain = hmac.new(key, before, hashlib.sha256)
    chain.update(head)
    chain.update(payload)
    return chain.digest()


class EntryHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the header of an entry says."""

    type: int
    kind_bytes: int = 0
    """Of a control: how many bytes at the start of the payload are its kind."""
    rows: int = 0
    length: int = 0
    """Bytes of payload, padding left out."""
    seq: int
    """Of the first row, or of the next event where there are no rows."""
    group: int
    """Number of the commit that the entry belongs to, counted from 1."""
    mask: int = 0
    """Which sealed columns the payload holds."""
    keys: int
    """How many subject keys were durable when the entry was written."""
    salt: bytes = b""
    tag: bytes = b""

    def fields(self) -> bytes:
        """Pack the part of the header that the tags cover."""
        return _ENTRY.pack(
            ENTRY_MAGIC, self.type, 0, self.kind_bytes, self.rows, 0,
            self.length, self.seq, self.group, self.mask, self.keys, 0, self.salt,
        )  # fmt: skip

    def pack(self, key: bytes, before: bytes, payload: bytes | memoryview) -> tuple[bytes, bytes]:
        """Pack the whole header, and the entry's tag."""
        fields = self.fields()
        tag = tag_entry(key, before, fields, payload)
        return (fields + tag + _short(key, fields)).ljust(HEADER_BYTES, b"\0"), tag

    @classmethod
    def unpack(cls, key: bytes, raw: bytes) -> EntryHead | None:
        """Read a header; `None` where there is none or it was changed."""
        if len(raw) < HEADER_BYTES or raw[:4] != ENTRY_MAGIC:
            return None
        if not hmac.compare_digest(raw[_CHECK], _short(key, raw[: _TAG.start])):
            return None
        _, kind, _, kind_bytes, rows, _, length, seq, group, mask, keys, _, salt = _ENTRY.unpack_from(raw)
        return cls(
            type=kind, kind_bytes=kind_bytes, rows=rows, length=length, seq=seq, group=group,
            mask=mask, keys=keys, salt=salt, tag=bytes(raw[_TAG]),
        )  # fmt: skip


class SegmentHead(msgspec.Struct, frozen=True, kw_only=True):
    """How a segment file begins: where it stands in the journal and what it is chained to."""

    number: int
    first_seq: int
    group: int
    """Last commit before this segment."""
    keys: int
    before: bytes
    """Tag of the last entry of the segment before."""

    def pack(self, key: bytes) -> bytes:
        """Pack the header, with its own tag."""
        fields = _SEGMENT.pack(SEGMENT_MAGIC, self.number, self.first_seq, self.group, self.keys, self.before)
        return (fields + _short(key, fields)).ljust(HEADER_BYTES, b"\0")

    @classmethod
    def unpack(cls, key: bytes, raw: bytes) -> SegmentHead | None:
        """Read a header; `None` where there is none or it was changed."""
        size = _SEGMENT.size
        if raw[:8] != SEGMENT_MAGIC or not hmac.compare_digest(raw[size : size + 16], _short(key, raw[:size])):
            return None
        _, number, first_seq, group, keys, before = _SEGMENT.unpack_from(raw)
        return cls(number=number, first_seq=first_seq, group=group, keys=keys, before=before)
