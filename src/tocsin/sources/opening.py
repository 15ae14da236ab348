"""Bytes out of a file, whatever it is packed in: plain, gzip, zstd, xz or a member of a zip archive.

A `Stream` never raises for what the file holds: damage (a truncated gzip, a wrong checksum) ends it
early and is named in `damage`, so that everything before it is kept. Memory stays bounded whatever the
file expands to: decoders are fed little and asked for little.
"""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING, Final, Protocol

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.sources.finding import Found

__all__ = ["CHUNK_BYTES", "Stream", "digest", "open_stream"]

CHUNK_BYTES: Final = 1 << 20
_FEED_BYTES: Final = 1 << 16
_ZSTD_FEED_BYTES: Final = 1 << 11
"""zstd's decoder cannot be told to stop; at most 128 KiB come out of each 4 bytes in."""
_SUSPICION_BYTES: Final = 256 << 20
_MAX_EXPANSION: Final = 500
"""Logs pack 5 to 100 times; past `_SUSPICION_BYTES` a file that expands further is a bomb."""
_MAX_BYTES: Final = 1 << 40
"""However little it expands, no one compressed file is read beyond a tebibyte."""
_DIGEST_DIGITS: Final = 32
_XZ_MEMORY_BYTES: Final = 1 << 28
_BROKEN: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile)


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Decoder(Protocol):
    """What zlib, lzma and zstd decoders share once wrapped."""

    def feed(self, data: bytes) -> bytes: ...
    @property
    def finished(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...
    @property
    def hungry(self) -> bool: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, CHUNK_BYTES)

    finished = property(lambda self: self._inner.eof)
    rest = property(lambda self: self._inner.unused_data)
    hungry = property(lambda self: not self._inner.unconsumed_tail)


class _Xz:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)

    def feed(self, data: bytes) -> bytes:
        return self._inner.decompress(data, CHUNK_BYTES)

    finished = property(lambda self: self._inner.eof)
    rest = property(lambda self: self._inner.unused_data)
    hungry = property(lambda self: self._inner.needs_input)


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def feed(self, data: bytes) -> bytes:
        return self._inner.decompress(data) if data else b""

    finished = property(lambda self: self._inner.eof)
    rest = property(lambda self: self._inner.unused_data)
    hungry = property(lambda _self: True)


_DECODERS: Final[dict[bytes, tuple[Callable[[], _Decoder], int]]] = {
    b"\x1f\x8b": (_Gzip, _FEED_BYTES),
    b"\xfd7zXZ\x00": (_Xz, _FEED_BYTES),
    b"\x28\xb5\x2f\xfd": (_Zstd, _ZSTD_FEED_BYTES),
}


class _Bounds:
    """Stops a file that expands beyond what any log does."""

    def __init__(self, packed: int = 0) -> None:
        self.packed, self.unpacked = packed, 0

    def check(self) -> None:
        """Raise `EOFError` when more came out than a log holds; what came out so far was handed on."""
        if self.unpacked > _SUSPICION_BYTES and self.unpacked > _MAX_EXPANSION * self.packed:
            raise EOFError(f"expands more than {_MAX_EXPANSION} times: taken for a decompression bomb")
        if self.unpacked > _MAX_BYTES:
            raise EOFError(f"expands to more than {_MAX_BYTES:,} bytes: taken for a decompression bomb")


class _Unpacked:
    """Reads a compressed stream, one frame or gzip member after another."""

    def __init__(self, raw: _Reads, head: bytes, make: Callable[[], _Decoder], feed_bytes: int) -> None:
        self._raw, self._held, self._make, self._feed_bytes = raw, head, make, feed_bytes
        self._decoder = make()
        self._bounds = _Bounds()

    def read(self, _size: int, /) -> bytes:
        """Return the next decoded bytes, `b""` at the end; raises `EOFError` when the end is missing or too far."""
        self._bounds.check()
        while True:
            data = self._take() if self._decoder.hungry else b""
            if self._decoder.hungry and not data:
                if self._decoder.finished:
                    return b""
                raise EOFError("the compressed stream ends before its end mark")
            out = self._decoder.feed(data)
            if self._decoder.finished:
                self._next_frame()
            if out:
                self._bounds.unpacked += len(out)
                return out
            if self._decoder.finished:
                return b""

    def _take(self) -> bytes:
        data = self._held or self._raw.read(self._feed_bytes)
        data, self._held = data[: self._feed_bytes], data[self._feed_bytes :]
        self._bounds.packed += len(data)
        return data

    def _next_frame(self) -> None:
        """Go on with the frame that follows; padding zeros after the last one are no frame."""
        rest = (self._decoder.rest + self._held).lstrip(b"\0") or self._raw.read(self._feed_bytes).lstrip(b"\0")
        if rest:
            self._held, self._decoder = rest, self._make()


class _Member:
    """Reads a zip member within the same bounds."""

    def __init__(self, raw: _Reads, packed: int) -> None:
        self._raw, self._bounds = raw, _Bounds(packed)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; raises `EOFError` past the bounds."""
        self._bounds.check()
        out = self._raw.read(size)
        self._bounds.unpacked += len(out)
        return out


class Stream:
    """Decoded bytes of one input; `damage` says why it ended early, if it did."""

    def __init__(self, raw: _Reads, close: Callable[[], None]) -> None:
        self.damage: str | None = None
        self._close = close
        self._head = b""
        self._raw: _Reads = raw
        self._raw = self._unpack(self._read_raw(_FEED_BYTES))

    def _unpack(self, head: bytes) -> _Reads:
        for magic, (make, feed_bytes) in _DECODERS.items():
            if head.startswith(magic):
                return _Unpacked(self._raw, head, make, feed_bytes)
        self._head = head
        return self._raw

    def _read_raw(self, size: int) -> bytes:
        if self.damage is not None:
            return b""
        try:
            return self._raw.read(size)
        except _BROKEN as error:
            self.damage = str(error).lower() or type(error).__name__
            return b""

    def peek(self, size: int) -> bytes:
        """Look at the first bytes without consuming them."""
        while len(self._head) < size:
            more = self._read_raw(size - len(self._head))
            if not more:
                break
            self._head += more
        return self._head[:size]

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return up to about `size` bytes; `b""` at the end or where damage begins."""
        if self._head:
            out, self._head = self._head[:size], self._head[size:]
            return out
        return self._read_raw(size)

    def close(self) -> None:
        """Let go of the file."""
        self._close()


def open_stream(found: Found) -> Stream:
    """Open one input for reading; raises `OSError` when it cannot be opened at all."""
    file = open(found.path, "rb")  # noqa: PTH123, SIM115 - path as typed; closed by the stream
    if found.member is None:
        return Stream(file, file.close)
    try:
        archive = zipfile.ZipFile(file)
        packed = archive.getinfo(found.member).compress_size
        return Stream(_Member(archive.open(found.member), packed), file.close)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        file.close()
        raise OSError(str(error)) from error


def digest(found: Found) -> str:
    """Name the content: the first half of SHA-256 of the raw bytes, for a zip member joined with its name.

    SHA-256 because processors compute it; every byte of a replay passes here before it is read.
    """
    with open(found.path, "rb") as file:  # noqa: PTH123 - path as typed
        hashed = hashlib.file_digest(file, "sha256")
    if found.member is not None:
        hashed.update(b"\0" + found.member.encode("utf-8", "surrogateescape"))
    return hashed.hexdigest()[:_DIGEST_DIGITS]
