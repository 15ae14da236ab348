"""Lines of flat JSON straight into column buffers, compiled.

The scanner knows the keys of one record and accepts a strict part of JSON: known keys once each, the right
types, RFC 3339 times. A line that is anything else is not judged here but marked for a closer look, so
being strict costs speed, never records.

INVARIANT: the data is valid UTF-8 and ends with a newline, and no loop steps over a byte below 0x20, so no
loop leaves its line.
"""

# Numba types these functions, bytes are compared as ASCII codes, and a grammar is one long function.
# ruff: noqa: ANN001, ANN201, ANN202, C901, PLR0911, PLR0912, PLR0913, PLR0915, PLR0917, PLR2004, SIM110

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from tocsin.sources.escapes import FAILED, escape_end
from tocsin.sources.runs import REACH, common_run, plain_run
from tocsin.sources.timestamps import NO_TIME, read_time

__all__ = ["BOOL", "FLOAT", "INT", "NESTED", "TEXT", "TIME", "scan"]

TEXT: Final = 0
INT: Final = 1
FLOAT: Final = 2
BOOL: Final = 3
TIME: Final = 4
NESTED: Final = 5
_UNKNOWN: Final = -1
_MOST_DIGITS: Final = 18
_QUOTE, _BACKSLASH, _OPEN, _CLOSE, _COMMA, _COLON = 34, 92, 123, 125, 44, 58
_PLAIN: Final = np.array([c >= 32 and c not in (34, 92) for c in range(256)])
"""Bytes that may stand in a string as they are."""
_NEWLINE, _SPACE, _TAB, _MINUS, _PLUS, _DOT, _ZERO, _NINE = 10, 32, 9, 45, 43, 46, 48, 57


@njit(cache=True, nogil=True)
def _blank(data, at):  # type: ignore[no-untyped-def]
    while data[at] == _SPACE or data[at] == _TAB:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _string_end(data, at):  # type: ignore[no-untyped-def]
    """Return where the closing quote stands, from the first byte inside the quotes."""
    while True:
        while at + REACH <= len(data):
            run: int = plain_run(data, at)  # type: ignore[call-arg] # Numba passes the first
            at += run
            if run < REACH:
                break
        while _PLAIN[data[at]]:
            at += 1
        if data[at] == _QUOTE:
            return at
        if data[at] != _BACKSLASH:
            return FAILED
        at = escape_end(data, at)
        if at == FAILED:
            return FAILED


@njit(cache=True, nogil=True)
def _number_end(data, at):  # type: ignore[no-untyped-def]
    """Return where a JSON number ends and whether it is whole; `FAILED` when it is none."""
    if data[at] == _MINUS:
        at += 1
    first = at
    while _ZERO <= data[at] <= _NINE:
        at += 1
    if at == first or (data[first] == _ZERO and at > first + 1):
        return FAILED, False
    whole = at - first <= _MOST_DIGITS
    if data[at] == _DOT:
        whole = False
        at += 1
        first = at
        while _ZERO <= data[at] <= _NINE:
            at += 1
        if at == first:
            return FAILED, False
    if data[at] == 101 or data[at] == 69:  # e, E
        whole = False
        at += 1
        if data[at] == _PLUS or data[at] == _MINUS:
            at += 1
        first = at
        while _ZERO <= data[at] <= _NINE:
            at += 1
        if at == first:
            return FAILED, False
    return at, whole


@njit(cache=True, nogil=True)
def _whole(data, at, end):  # type: ignore[no-untyped-def]
    negative = data[at] == _MINUS
    value = np.int64(0)
    for place in range(at + negative, end):
        value = value * 10 + (data[place] - 48)
    return -value if negative else value


@njit(cache=True, nogil=True)
def _literal(data, at):  # type: ignore[no-untyped-def]
    """Return where `true`, `false` or `null` ends and its value (1, 0, -1)."""
    if data[at] == 116 and data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:  # true
        return at + 4, 1
    if data[at] == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:  # null
        return at + 4, -1
    if (
        data[at] == 102 and data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115 and data[at + 4] == 101
    ):  # false
        return at + 5, 0
    return FAILED, 0


@njit(cache=True, nogil=True)
def _is_key(data, at, end, keys, key_at, field):  # type: ignore[no-untyped-def]
    length = end - at
    if key_at[field + 1] - key_at[field] != length:
        return False
    if length <= REACH and at + REACH <= len(data):
        return common_run(data, at, keys, key_at[field]) >= length  # type: ignore[call-arg] # Numba passes the first
    for step in range(length):
        if data[at + step] != keys[key_at[field] + step]:
            return False
    return True


@njit(cache=True, nogil=True)
def _line(data, at, line, keys, key_at, kinds, scopes, guesses, starts, ends, numbers):  # type: ignore[no-untyped-def]
    """Read one object into row `line`; return where it ends and which fields it gave, or `FAILED`."""
    seen = np.uint64(0)
    given = np.uint64(0)
    scope = 0
    before = len(kinds) + 1
    at = _blank(data, at)
    if data[at] != _OPEN:
        return FAILED, given
    at += 1
    while True:
        at = _blank(data, at)
        if data[at] != _QUOTE:
            return FAILED, given
        key = at + 1
        end = _string_end(data, key)
        if end == FAILED:
            return FAILED, given
        field = guesses[before]
        if field == _UNKNOWN or scopes[field] != scope or not _is_key(data, key, end, keys, key_at, field):
            field = _UNKNOWN
            for known in range(len(kinds)):
                if scopes[known] == scope and _is_key(data, key, end, keys, key_at, known):
                    field = known
                    break
            guesses[before] = field
        before = field if field != _UNKNOWN else len(kinds)
        at = _blank(data, end + 1)
        if data[at] != _COLON:
            return FAILED, given
        at = _blank(data, at + 1)
        kind = _UNKNOWN
        bit = np.uint64(0)
        if field != _UNKNOWN:
            bit = np.uint64(1) << np.uint64(field)
            if seen & bit:
                return FAILED, given
            seen |= bit
            kind = kinds[field]
        c = data[at]
        if c == _QUOTE:
            end = _string_end(data, at + 1)
            if end == FAILED:
                return FAILED, given
            if kind == TEXT:
                starts[field, line], ends[field, line] = at + 1, end
                given |= bit
            elif kind == TIME:
                numbers[field, line] = read_time(data, at + 1, end)
                if numbers[field, line] == NO_TIME:
                    return FAILED, given
                given |= bit
            elif kind != _UNKNOWN:
                return FAILED, given
            at = end + 1
        elif c == _OPEN:
            if kind != NESTED:
                return FAILED, given
            inner = _blank(data, at + 1)
            if data[inner] != _CLOSE:
                scope = 1
                at += 1
                continue
            at = inner + 1
        elif c == _MINUS or _ZERO <= c <= _NINE:
            end, whole = _number_end(data, at)
            if end == FAILED or (kind == INT and not whole) or kind in (TEXT, BOOL, TIME, NESTED):
                return FAILED, given
            if kind == INT:
                numbers[field, line] = _whole(data, at, end)
            elif kind == FLOAT:
                starts[field, line], ends[field, line] = at, end
            given |= bit
            at = end
        else:
            at, value = _literal(data, at)
            if at == FAILED or (value >= 0 and kind not in (BOOL, _UNKNOWN)):
                return FAILED, given
            if value >= 0 and kind == BOOL:
                numbers[field, line] = value
                given |= bit
        at = _blank(data, at)
        if data[at] == _CLOSE and scope == 1:
            scope = 0
            at = _blank(data, at + 1)
        if data[at] == _COMMA:
            at += 1
        elif data[at] == _CLOSE and scope == 0:
            return at + 1, given
        else:
            return FAILED, given


@njit(cache=True, nogil=True)
def scan(data, keys, key_at, kinds, scopes, needed, starts, ends, numbers, given, good):  # type: ignore[no-untyped-def]
    """Read every line of `data` into the row of its number.

    `keys[key_at[f]:key_at[f + 1]]` names field f, of `kinds[f]`, inside the nested object when `scopes[f]`;
    after the last key, `keys` goes on for `REACH` bytes.
    Text and floats come out as spans (`starts`, `ends`), the rest as `numbers`; `given[n]` holds a bit for
    each field that line n gave a value. `good[n]` is False for a line that needs a closer look.
    """
    # What followed each key on the line before; the last two are an unknown key and the line's begin.
    guesses = np.full(len(kinds) + 2, _UNKNOWN, np.int64)
    at = 0
    for line in range(len(good)):
        end, fields = _line(data, at, line, keys, key_at, kinds, scopes, guesses, starts, ends, numbers)
        if end != FAILED:
            end = _blank(data, end)
            good[line] = data[end] == _NEWLINE and fields & needed == needed
            given[line] = fields
            at = end
        while data[at] != _NEWLINE:
            at += 1
        at += 1
