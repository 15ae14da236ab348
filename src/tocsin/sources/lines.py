"""Text cut into blocks of whole lines or whole CSV records, clean UTF-8, with their numbers.

Blocks, not lines, are what the columnar parsers want. A line over `MAX_LINE_BYTES` is set aside unread;
a UTF-16 file is recoded; a line that is not UTF-8 is taken for Windows-1252, the usual culprit.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from tocsin.sources.opening import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["MAX_LINE_BYTES", "Block", "line_blocks", "plain_text", "record_blocks", "to_utf8"]

MAX_LINE_BYTES: Final = 1 << 20
BLOCK_BYTES: Final = 4 << 20
_EXCERPT_BYTES: Final = 200
_NEWLINE: Final = 10
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Block(msgspec.Struct, frozen=True):
    """Whole lines (or records), each ending in a newline, and the number of the first."""

    first: int
    data: bytes
    count: int


def plain_text(stream: Stream) -> Iterator[bytes]:
    """Yield the stream's bytes without byte order marks and carriage returns, UTF-16 recoded."""
    head = stream.peek(4)
    recode = codecs.getincrementaldecoder("utf-16")(errors="replace") if head.startswith(_UTF16) else None
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    held = b""
    while chunk := stream.read(CHUNK_BYTES):
        data = held + (recode.decode(chunk).encode("utf-8", "replace") if recode else chunk)
        held = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(held)]
        yield data.replace(b"\r\n", b"\n") if b"\r" in data else data
    if held:
        yield held


def line_blocks(stream: Stream, intake: Intake) -> Iterator[Block]:
    """Cut a stream into blocks of whole lines."""
    number, size = 1, 0
    parts: list[bytes | memoryview] = []
    for piece in _line_pieces(stream):
        if isinstance(piece, _Gap):
            if parts:
                number = (block := _joined(number, parts)).first + block.count
                yield block
            _too_long(intake, number, piece.head)
            number, parts, size = number + 1, [], 0
            continue
        parts.append(piece)
        size += len(piece)
        if size >= BLOCK_BYTES and piece[-1] == _NEWLINE:
            number = (block := _joined(number, parts)).first + block.count
            yield block
            parts, size = [], 0
    if parts:
        yield _joined(number, parts)


class _Gap(msgspec.Struct, frozen=True):
    """A line too long to be read, by its first bytes."""

    head: bytes


def _joined(first: int, parts: list[bytes | memoryview]) -> Block:
    data = b"".join(parts)
    # Several times faster than `bytes.count`, and every byte of a replay passes here.
    count = np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    return Block(first, to_utf8(data), int(count))


def _line_pieces(stream: Stream) -> Iterator[bytes | memoryview | _Gap]:
    """Yield text whose joined pieces, up to one that ends in a newline, are whole lines; for a line too long, a gap."""
    held, skipping = b"", False
    for chunk in plain_text(stream):
        data = chunk
        if skipping:
            end = data.find(b"\n")
            if end < 0:
                continue
            data, skipping = data[end + 1 :], False
        # Only the first line can be longer than a chunk: the others lie within one.
        end = data.find(b"\n")
        if len(held) + (end if end >= 0 else len(data)) > MAX_LINE_BYTES:
            yield _Gap((held + data)[:_EXCERPT_BYTES])
            held, skipping, data = b"", end < 0, data[end + 1 :] if end >= 0 else b""
        cut = data.rfind(b"\n") + 1
        if cut:
            if held:
                yield held
            yield memoryview(data)[:cut]
            held = data[cut:]
        else:
            held += data
    if held:
        yield held + b"\n"


def record_blocks(stream: Stream, intake: Intake, *, offset: int = 0) -> Iterator[Block]:
    """Cut a stream into blocks of whole CSV records: a newline inside quotes ends nothing.

    Blocks count every record; `offset` header records are not counted in what is set aside.
    """
    number, held, skipping = 1, b"", False
    for chunk in plain_text(stream):
        if skipping:
            end = chunk.find(b"\n")
            skipping = end < 0
            held = chunk[end + 1 :] if end >= 0 else b""
        else:
            held += chunk
        while True:
            cut, count = _last_record_end(held)
            if cut:
                yield Block(number, to_utf8(held[:cut]), count)
                number, held = number + count, held[cut:]
            if len(held) <= MAX_LINE_BYTES:
                break
            # A quote that never closes, or an endless line: give up this physical line and go on after it.
            _too_long(intake, number - offset, held)
            end = held.find(b"\n")
            skipping, number = end < 0, number + 1
            held = held[end + 1 :] if end >= 0 else b""
    if held.strip():
        yield Block(number, to_utf8(held + b"\n"), 1)


def _last_record_end(data: bytes) -> tuple[int, int]:
    """Return where the last whole record ends and how many there are."""
    if b'"' not in data:
        return data.rfind(b"\n") + 1, data.count(b"\n")
    raw = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(raw == ord("\n"))
    quotes = np.flatnonzero(raw == ord('"'))
    outside = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    return (int(outside[-1]) + 1 if len(outside) else 0), len(outside)


def to_utf8(data: bytes) -> bytes:
    """Return the lines as valid UTF-8; those that are not are read as Windows-1252."""
    if data.isascii() or _is_utf8(data):
        return data
    return b"\n".join(line if _is_utf8(line) else _recoded(line) for line in data.split(b"\n"))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _recoded(line: bytes) -> bytes:
    try:
        return line.decode("cp1252").encode()
    except UnicodeDecodeError:
        return line.decode("latin-1").encode()


def _too_long(intake: Intake, number: int, data: bytes) -> None:
    reason = f"longer than {MAX_LINE_BYTES:,} bytes, or a quote that never closes"
    intake.put_aside(number, reason, excerpt=data[:_EXCERPT_BYTES])
