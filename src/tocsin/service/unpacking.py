"""A body out of its content coding, within bounds."""

from __future__ import annotations

import io
from typing import Final

from tocsin.service.problems import Problem
from tocsin.sources.opening import CHUNK_BYTES, Stream

__all__ = ["CODINGS", "unpack"]

_PACKED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00")
CODINGS: Final[dict[str, bytes]] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
"""Content codings taken, by the bytes with which each begins."""
_PLAIN: Final = frozenset({"", "identity"})


def unpack(body: bytes, coding: str | None, most: int) -> bytes:
    """Return the body unpacked once.

    Raises `Problem`: 400 where it is damaged, 413 where it is too large, 415 for any other coding.
    """
    plain = _unpacked(body, coding, most)
    if plain.startswith(_PACKED):
        raise Problem(400, "content-coding", "the body is packed and its content coding does not say so")
    return plain


def _unpacked(body: bytes, coding: str | None, most: int) -> bytes:
    named = (coding or "").strip().lower().removeprefix("x-")
    if named in _PLAIN:
        return body
    magic = CODINGS.get(named)
    if magic is None:
        accepted = ((b"accept-encoding", ", ".join(CODINGS).encode()),)
        raise Problem(415, "content-coding", "the content coding is none of gzip and zstd", headers=accepted)
    if not body.startswith(magic):
        raise Problem(400, "content-coding", f"the body is not {named}, as its content coding says")
    return _expanded(Stream(io.BytesIO(body), lambda: None), most)


def _expanded(stream: Stream, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := stream.read(CHUNK_BYTES):
        size += len(part)
        if size > most:
            raise Problem(413, "body-too-large", f"a body here may unpack to {most} bytes")
        parts.append(part)
    if stream.damage is not None:
        raise Problem(400, "content-coding", f"the packed body is damaged: {stream.damage}")
    return b"".join(parts)
