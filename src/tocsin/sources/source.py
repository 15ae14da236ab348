"""What a source is: a name, a way to recognise its content, a way to read it as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.sources.lines import to_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["HEAD_BYTES", "Head", "Source", "head_of"]

HEAD_BYTES = 1 << 16
_HEAD_LINES = 50
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\x1b\x0c\x00"))
_MOST_CONTROL = 0.05


class Head(msgspec.Struct, frozen=True):
    """The first bytes of an input, decompressed, as sources look at them."""

    raw: bytes
    text: bytes
    """Valid UTF-8, no byte order mark, NUL bytes dropped."""
    lines: tuple[bytes, ...]
    """The first non-empty whole lines."""

    @property
    def binary(self) -> bool:
        """Whether this is no text at all."""
        if self.raw.startswith(_UTF16):
            return False
        control = len(self.raw) - len(self.raw.translate(None, _CONTROL))
        nul = self.raw.count(b"\0")
        return control > _MOST_CONTROL * len(self.raw) or nul > len(self.raw) // 2


class Source(msgspec.Struct, frozen=True):
    """One log format. `read` yields partial event tables (any event columns, plus `source_line`)."""

    name: str
    recognise: Callable[[Head], bool]
    read: Callable[[Stream, Intake], Iterator[pa.Table]]


def head_of(raw: bytes) -> Head:
    """Prepare the first bytes of an input for recognition."""
    if raw.startswith(_UTF16):
        text = raw.decode("utf-16", "replace").encode("utf-8", "replace")
    else:
        text = to_utf8(raw.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b""))
    lines = [line.strip() for line in text.split(b"\n")]
    whole = lines[:-1] if len(raw) >= HEAD_BYTES and len(lines) > 1 else lines
    return Head(raw, text.lstrip(), tuple(line for line in whole if line)[:_HEAD_LINES])
