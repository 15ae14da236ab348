"""Columns of plain IPv4 text as numbers, compiled; what is written otherwise is left to `address`."""

# Numba types these functions and compares bytes as ASCII codes.
# ruff: noqa: ANN001, ANN202, PLR2004

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NOT_PLAIN", "plain_numbers"]

NOT_PLAIN: Final = -1
_DOT, _ZERO = 46, 48
_LONGEST: Final = 15


def plain_numbers(texts: pa.StringArray) -> np.ndarray:
    """Return each text's IPv4 number when it is four octets without leading zeros; else, and for null, -1."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.full(len(texts), NOT_PLAIN, np.int64)
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    numbers: np.ndarray = _numbers(np.frombuffer(data, np.uint8), bounds)
    return numbers


@njit(cache=True, nogil=True)
def _number(data, at, end):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for octet in range(4):
        first = at
        value = 0
        while at < end and _ZERO <= data[at] <= 57:
            value = value * 10 + (data[at] - 48)
            at += 1
        if at == first or at - first > 3 or value > 255 or (data[first] == _ZERO and at - first > 1):
            return NOT_PLAIN
        total = total << 8 | value
        if octet < 3:
            if at >= end or data[at] != _DOT:
                return NOT_PLAIN
            at += 1
    return total if at == end else NOT_PLAIN


@njit(cache=True, nogil=True)
def _numbers(data, bounds):  # type: ignore[no-untyped-def]
    numbers = np.full(len(bounds) - 1, NOT_PLAIN, np.int64)
    for row in range(len(numbers)):
        if bounds[row + 1] - bounds[row] <= _LONGEST:
            numbers[row] = _number(data, bounds[row], bounds[row + 1])
    return numbers
