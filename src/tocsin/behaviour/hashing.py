"""Keyed 64-bit hashes of text columns: SipHash-2-4 (Aumasson and Bernstein 2012) over Arrow buffers.

The key is the home's own, so nobody outside can choose names that collide. Null and empty text hash to 0, which
every kernel reads as "not said".
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numba import njit

__all__ = ["HashKey", "hash_column", "hash_subnets", "hash_text", "key_of"]

HashKey = tuple[np.uint64, np.uint64]
_V0: Final = np.uint64(0x736F6D6570736575)
_V1: Final = np.uint64(0x646F72616E646F6D)
_V2: Final = np.uint64(0x6C7967656E657261)
_V3: Final = np.uint64(0x7465646279746573)
_DOT: Final = np.uint8(ord("."))
_COLON: Final = np.uint8(ord(":"))
_HEX_GROUPS: Final = 8


@njit(cache=True, inline="always")
def _rotl(x: np.uint64, b: int) -> np.uint64:
    return (x << np.uint64(b)) | (x >> np.uint64(64 - b))


@njit(cache=True, inline="always")
def _round(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64):
    v0 += v1
    v1 = _rotl(v1, 13) ^ v0
    v0 = _rotl(v0, 32)
    v2 += v3
    v3 = _rotl(v3, 16) ^ v2
    v0 += v3
    v3 = _rotl(v3, 21) ^ v0
    v2 += v1
    v1 = _rotl(v1, 17) ^ v2
    v2 = _rotl(v2, 32)
    return v0, v1, v2, v3


@njit(cache=True)
def siphash(data: np.ndarray, start: int, stop: int, k0: np.uint64, k1: np.uint64) -> np.uint64:
    """SipHash-2-4 of `data[start:stop]` (uint8)."""
    v0, v1, v2, v3 = _V0 ^ k0, _V1 ^ k1, _V2 ^ k0, _V3 ^ k1
    length = stop - start
    at = start
    for _ in range(length >> 3):
        m = np.uint64(0)
        for j in range(8):
            m |= np.uint64(data[at + j]) << np.uint64(8 * j)
        v3 ^= m
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
        at += 8
    m = np.uint64(length & 0xFF) << np.uint64(56)
    for j in range(stop - at):
        m |= np.uint64(data[at + j]) << np.uint64(8 * j)
    v3 ^= m
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= m
    v2 ^= np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(cache=True)
def _hash_all(offsets: np.ndarray, data: np.ndarray, k0: np.uint64, k1: np.uint64, out: np.ndarray) -> None:
    last_start, last_stop, last = -1, -1, np.uint64(0)
    for i in range(len(out)):
        start, stop = offsets[i], offsets[i + 1]
        if stop <= start:
            out[i] = 0
            continue
        same = last_stop - last_start == stop - start
        if same:
            for j in range(stop - start):
                if data[last_start + j] != data[start + j]:
                    same = False
                    break
        if not same:
            last = siphash(data, start, stop, k0, k1) | np.uint64(1)
            last_start, last_stop = start, stop
        out[i] = last


@njit(cache=True)
def _v6_prefix(data: np.ndarray, start: int, stop: int) -> np.uint64:
    """First 64 bits of IPv6 text; what is not hexadecimal counts as zero."""
    groups = np.zeros(_HEX_GROUPS, np.uint64)
    count, gap, value, digits = 0, -1, np.uint64(0), 0
    for at in range(start, stop):
        c = data[at]
        if c == _COLON:
            if digits > 0 and count < _HEX_GROUPS:
                groups[count] = value
                count += 1
            elif at > start and gap < 0:
                gap = count
            value, digits = np.uint64(0), 0
        else:
            d = c - 48 if c < 58 else (c | 32) - 87  # noqa: PLR2004 - hexadecimal digits in ASCII
            value = (value << np.uint64(4)) | np.uint64(d & 15)
            digits += 1
    if digits > 0 and count < _HEX_GROUPS:
        groups[count] = value
        count += 1
    high = np.uint64(0)
    for g in range(4):
        shifted = g if gap < 0 or g < gap else g - (_HEX_GROUPS - count)
        word = groups[shifted] if 0 <= shifted < count and (gap < 0 or g < gap or shifted >= gap) else np.uint64(0)
        high = (high << np.uint64(16)) | (word & np.uint64(0xFFFF))
    return high


@njit(cache=True)
def _subnets(offsets: np.ndarray, data: np.ndarray, k0: np.uint64, k1: np.uint64, out: np.ndarray) -> None:
    eight = np.zeros(8, np.uint8)
    for i in range(len(out)):
        start, stop = offsets[i], offsets[i + 1]
        out[i] = 0
        cut = stop - 1
        while cut > start and data[cut] != _DOT and data[cut] != _COLON:
            cut -= 1
        if cut <= start:
            continue
        if data[cut] == _DOT:
            out[i] = siphash(data, start, cut, k0, k1) | np.uint64(1)
        else:
            prefix = _v6_prefix(data, start, stop)
            for j in range(8):
                eight[j] = (prefix >> np.uint64(8 * j)) & np.uint64(255)
            out[i] = siphash(eight, 0, 8, k0, k1) | np.uint64(1)


def _buffers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and bytes of a string column; null places are made empty."""
    if column.type != pa.string():
        column = column.cast(pa.string())
    if column.null_count:
        column = column.fill_null("")
    _, offsets, data = column.buffers()
    at = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return at, np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)


def hash_column(column: pa.Array, key: HashKey) -> np.ndarray:
    """uint64 of every text in `column`; 0 for null and empty."""
    out = np.zeros(len(column), np.uint64)
    if len(column) and column.null_count < len(column):
        _hash_all(*_buffers(column), *key, out)
    return out


def hash_subnets(column: pa.Array, key: HashKey) -> np.ndarray:
    """uint64 of the /24 of every IPv4 address and the /64 of every IPv6 address; 0 for null."""
    out = np.zeros(len(column), np.uint64)
    if len(column) and column.null_count < len(column):
        _subnets(*_buffers(column), *key, out)
    return out


def key_of(secret: bytes) -> HashKey:
    """The two words of a 16-byte key."""
    return np.uint64(int.from_bytes(secret[:8], "little")), np.uint64(int.from_bytes(secret[8:16], "little"))


def hash_text(text: str, key: HashKey) -> int:
    """The hash that `hash_column` gives this text."""
    data = np.frombuffer(text.encode(), np.uint8)
    return int(siphash(data, 0, len(data), *key) | np.uint64(1)) if len(data) else 0
