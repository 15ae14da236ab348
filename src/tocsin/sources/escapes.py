"""Escape sequences of JSON strings, checked and resolved, compiled."""

# Numba types these functions, bytes are compared as ASCII codes, and a grammar is one long function.
# ruff: noqa: ANN001, ANN201, ANN202, PLR2004

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from tocsin.sources.runs import REACH, copy_run, plain_run

__all__ = ["FAILED", "escape_end", "gather"]

FAILED: Final = -1
_BACKSLASH, _ZERO, _NINE = 92, 48, 57


@njit(cache=True, nogil=True)
def hex4(data, at):  # type: ignore[no-untyped-def]
    """Read four hexadecimal digits; -1 when they are not."""
    value = 0
    for step in range(4):
        c = data[at + step]
        if _ZERO <= c <= _NINE:
            digit = c - 48
        elif 97 <= c <= 102:  # a to f
            digit = c - 87
        elif 65 <= c <= 70:  # A to F
            digit = c - 55
        else:
            return -1
        value = value * 16 + digit
    return value


@njit(cache=True, nogil=True)
def escape_end(data, at):  # type: ignore[no-untyped-def]
    """Return where an escape sequence ends; `FAILED` when it is none."""
    c = data[at + 1]
    if c in (34, 92, 47, 98, 102, 110, 114, 116):  # " \ / b f n r t
        return at + 2
    if c != 117:  # u
        return FAILED
    unit = hex4(data, at + 2)
    if unit < 0 or 0xDC00 <= unit <= 0xDFFF:  # a low surrogate first
        return FAILED
    if 0xD800 <= unit <= 0xDBFF:  # a high surrogate needs its low half
        if data[at + 6] != _BACKSLASH or data[at + 7] != 117:  # u
            return FAILED
        low = hex4(data, at + 8)
        return at + 12 if 0xDC00 <= low <= 0xDFFF else FAILED  # a low surrogate
    return at + 6


@njit(cache=True, nogil=True)
def put_utf8(out, at, code):  # type: ignore[no-untyped-def]
    if code < 0x80:  # one byte
        out[at] = code
        return at + 1
    if code < 0x800:  # two bytes
        out[at], out[at + 1] = 0xC0 | (code >> 6), 0x80 | (code & 0x3F)
        return at + 2
    if code < 0x10000:  # three bytes
        out[at], out[at + 1], out[at + 2] = 0xE0 | (code >> 12), 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
        return at + 3
    out[at], out[at + 1] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 0x3F)
    out[at + 2], out[at + 3] = 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
    return at + 4


@njit(cache=True, nogil=True)
def unescaped(data, place, out, at):  # type: ignore[no-untyped-def]
    """Write what the escape sequence at `place` means; return where both go on."""
    c = data[place + 1]
    if c != 117:  # u
        meaning = c
        if c == 98:  # \b
            meaning = 8
        elif c == 102:  # \f
            meaning = 12
        elif c == 110:  # \n
            meaning = 10
        elif c == 114:  # \r
            meaning = 13
        elif c == 116:  # \t
            meaning = 9
        out[at] = meaning
        return place + 2, at + 1
    unit = hex4(data, place + 2)
    if 0xD800 <= unit <= 0xDBFF:  # a surrogate pair
        low = hex4(data, place + 8)
        return place + 12, put_utf8(out, at, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
    return place + 6, put_utf8(out, at, unit)


@njit(cache=True, nogil=True)
def _copied(data, place, end, out, at):  # type: ignore[no-untyped-def]
    """Copy up to the first backslash, a stride at a time; return where both go on."""
    while place + REACH <= len(data) and place < end:
        run = min(plain_run(data, place), end - place)  # type: ignore[call-arg] # Numba passes the first
        copy_run(out, at, data, place)
        place += run
        at += run
        if run < REACH:
            return place, at
    while place < end and data[place] != _BACKSLASH:
        out[at] = data[place]
        place += 1
        at += 1
    return place, at


@njit(cache=True, nogil=True)
def gather(data, starts, ends, has):  # type: ignore[no-untyped-def]
    """Copy spans into Arrow's layout: offsets and bytes, escape sequences resolved."""
    room = REACH
    for row in range(len(has)):
        if has[row]:
            room += ends[row] - starts[row]
    out = np.empty(room, np.uint8)
    offsets = np.empty(len(has) + 1, np.int32)
    offsets[0] = 0
    at = 0
    for row in range(len(has)):
        if has[row]:
            place, end = np.int64(starts[row]), np.int64(ends[row])
            while place < end:
                if data[place] == _BACKSLASH:
                    place, at = unescaped(data, place, out, at)
                else:
                    place, at = _copied(data, place, end, out, at)
        offsets[row + 1] = at
    return offsets, out[:at]
