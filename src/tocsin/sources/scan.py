"""Lines of flat JSON straight into column buffers, compiled.

The scanner knows the keys of one record and accepts a strict part of JSON: known keys once each, the right
types, RFC 3339 times. A line that is anything else is not judged here but marked for a closer look, so
being strict costs speed, never records.

INVARIANT: the data is valid UTF-8 and ends with a newline, and no loop steps over a byte below 0x20, so no
loop leaves its line.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

__all__ = ["BOOL", "FLOAT", "INT", "NESTED", "TEXT", "TIME", "gather", "scan"]

TEXT: Final = 0
INT: Final = 1
FLOAT: Final = 2
BOOL: Final = 3
TIME: Final = 4
NESTED: Final = 5
_UNKNOWN: Final = -1
_FAILED: Final = -1
_NO_TIME: Final = -(1 << 62)
_GUESSES: Final = 64
_MOST_DIGITS: Final = 18
_QUOTE, _BACKSLASH, _OPEN, _CLOSE, _COMMA, _COLON = 34, 92, 123, 125, 44, 58
_NEWLINE, _SPACE, _TAB, _MINUS, _PLUS, _DOT, _ZERO, _NINE = 10, 32, 9, 45, 43, 46, 48, 57


@njit(cache=True, nogil=True)
def _blank(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    while data[at] == _SPACE or data[at] == _TAB:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _hex4(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Read four hexadecimal digits; -1 when they are not."""
    value = 0
    for step in range(4):
        c = data[at + step]
        if _ZERO <= c <= _NINE:
            digit = c - 48
        elif 97 <= c <= 102:  # noqa: PLR2004 - a to f
            digit = c - 87
        elif 65 <= c <= 70:  # noqa: PLR2004 - A to F
            digit = c - 55
        else:
            return -1
        value = value * 16 + digit
    return value


@njit(cache=True, nogil=True)
def _escape(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Return where an escape sequence ends; `_FAILED` when it is none."""
    c = data[at + 1]
    if c in (34, 92, 47, 98, 102, 110, 114, 116):  # " \ / b f n r t
        return at + 2
    if c != 117:  # noqa: PLR2004 - u
        return _FAILED
    unit = _hex4(data, at + 2)
    if unit < 0 or 0xDC00 <= unit <= 0xDFFF:  # noqa: PLR2004 - a low surrogate first
        return _FAILED
    if 0xD800 <= unit <= 0xDBFF:  # noqa: PLR2004 - a high surrogate needs its low half
        if data[at + 6] != _BACKSLASH or data[at + 7] != 117:  # noqa: PLR2004 - u
            return _FAILED
        low = _hex4(data, at + 8)
        return at + 12 if 0xDC00 <= low <= 0xDFFF else _FAILED  # noqa: PLR2004 - a low surrogate
    return at + 6


@njit(cache=True, nogil=True)
def _string_end(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Return where the closing quote stands, from the first byte inside the quotes."""
    while data[at] != _QUOTE:
        if data[at] == _BACKSLASH:
            at = _escape(data, at)
            if at == _FAILED:
                return _FAILED
        elif data[at] < _SPACE:
            return _FAILED
        else:
            at += 1
    return at


@njit(cache=True, nogil=True)
def _digits(data, at, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    value = 0
    for step in range(count):
        c = data[at + step]
        if c < _ZERO or c > _NINE:
            return -1
        value = value * 10 + (c - 48)
    return value


@njit(cache=True, nogil=True)
def _days(year, month, day):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Return days since 1970 in the proleptic Gregorian calendar (Hinnant, `days_from_civil`)."""
    year -= month <= 2  # noqa: PLR2004 - the year begins in March
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # noqa: PLR2004 - see above
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(cache=True, nogil=True)
def _month_length(year, month):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    if month == 2:  # noqa: PLR2004 - February
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@njit(cache=True, nogil=True)
def _time(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0911, PLR0912 - one grammar, typed by numba
    """Read `2026-03-01T09:00:00.123456Z` as microseconds since 1970; `_NO_TIME` when it is written otherwise."""
    if end - at < 20 or data[at + 4] != _MINUS or data[at + 7] != _MINUS or data[at + 10] != 84:  # noqa: PLR2004 - T
        return _NO_TIME
    if data[at + 13] != _COLON or data[at + 16] != _COLON:
        return _NO_TIME
    year, month, day = _digits(data, at, 4), _digits(data, at + 5, 2), _digits(data, at + 8, 2)
    hour, minute, second = _digits(data, at + 11, 2), _digits(data, at + 14, 2), _digits(data, at + 17, 2)
    if year < 1 or month < 1 or month > 12 or day < 1 or day > _month_length(year, month):  # noqa: PLR2004 - months
        return _NO_TIME
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:  # noqa: PLR2004 - a clock
        return _NO_TIME
    at += 19
    fraction = 0
    if data[at] == _DOT:
        scale = 1_000_000
        at += 1
        while at < end and _ZERO <= data[at] <= _NINE:
            scale //= 10
            fraction += (data[at] - 48) * scale
            at += 1
        if scale == 1_000_000 or scale == 0:  # noqa: PLR2004, PLR1714 - no digit, or more than six
            return _NO_TIME
    offset = 0
    if end - at == 6 and (data[at] == _PLUS or data[at] == _MINUS) and data[at + 3] == _COLON:  # noqa: PLR2004 - +hh:mm
        hours, minutes = _digits(data, at + 1, 2), _digits(data, at + 4, 2)
        if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:  # noqa: PLR2004 - a clock
            return _NO_TIME
        offset = (hours * 60 + minutes) * (60 if data[at] == _PLUS else -60)
    elif end - at != 1 or data[at] != 90:  # noqa: PLR2004 - Z
        return _NO_TIME
    seconds = _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 1_000_000 + fraction


@njit(cache=True, nogil=True)
def _number_end(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Return where a JSON number ends and whether it is whole; `_FAILED` when it is none."""
    if data[at] == _MINUS:
        at += 1
    first = at
    while _ZERO <= data[at] <= _NINE:
        at += 1
    if at == first or (data[first] == _ZERO and at > first + 1):
        return _FAILED, False
    whole = at - first <= _MOST_DIGITS
    if data[at] == _DOT:
        whole = False
        at += 1
        first = at
        while _ZERO <= data[at] <= _NINE:
            at += 1
        if at == first:
            return _FAILED, False
    if data[at] == 101 or data[at] == 69:  # noqa: PLR2004, PLR1714 - e, E
        whole = False
        at += 1
        if data[at] == _PLUS or data[at] == _MINUS:
            at += 1
        first = at
        while _ZERO <= data[at] <= _NINE:
            at += 1
        if at == first:
            return _FAILED, False
    return at, whole


@njit(cache=True, nogil=True)
def _whole(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    negative = data[at] == _MINUS
    value = np.int64(0)
    for place in range(at + negative, end):
        value = value * 10 + (data[place] - 48)
    return -value if negative else value


@njit(cache=True, nogil=True)
def _literal(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Return where `true`, `false` or `null` ends and its value (1, 0, -1)."""
    if data[at] == 116 and data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:  # noqa: PLR2004 - true
        return at + 4, 1
    if data[at] == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:  # noqa: PLR2004 - null
        return at + 4, -1
    if data[at] == 102 and data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115 and data[at + 4] == 101:  # noqa: PLR2004 - false
        return at + 5, 0
    return _FAILED, 0


@njit(cache=True, nogil=True)
def _is_key(data, at, end, keys, key_at, field):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0913, PLR0917 - typed by numba
    if key_at[field + 1] - key_at[field] != end - at:
        return False
    for step in range(end - at):
        if data[at + step] != keys[key_at[field] + step]:
            return False
    return True


@njit(cache=True, nogil=True)
def _line(data, at, line, keys, key_at, kinds, scopes, guesses, starts, ends, numbers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0911, PLR0912, PLR0913, PLR0915, PLR0917 - one grammar, typed by numba
    """Read one object into row `line`; return where it ends and which fields it gave, or `_FAILED`."""
    seen = np.uint64(0)
    given = np.uint64(0)
    scope = 0
    nth = 0
    at = _blank(data, at)
    if data[at] != _OPEN:
        return _FAILED, given
    at += 1
    while True:
        at = _blank(data, at)
        if data[at] != _QUOTE:
            return _FAILED, given
        key = at + 1
        end = key
        while data[end] != _QUOTE:
            if data[end] == _BACKSLASH or data[end] < _SPACE:
                return _FAILED, given
            end += 1
        field = guesses[nth] if nth < _GUESSES else _UNKNOWN
        if field == _UNKNOWN or scopes[field] != scope or not _is_key(data, key, end, keys, key_at, field):
            field = _UNKNOWN
            for known in range(len(kinds)):
                if scopes[known] == scope and _is_key(data, key, end, keys, key_at, known):
                    field = known
                    break
            if nth < _GUESSES:
                guesses[nth] = field
        nth += 1
        at = _blank(data, end + 1)
        if data[at] != _COLON:
            return _FAILED, given
        at = _blank(data, at + 1)
        kind = _UNKNOWN
        bit = np.uint64(0)
        if field != _UNKNOWN:
            bit = np.uint64(1) << np.uint64(field)
            if seen & bit:
                return _FAILED, given
            seen |= bit
            kind = kinds[field]
        c = data[at]
        if c == _QUOTE:
            end = _string_end(data, at + 1)
            if end == _FAILED:
                return _FAILED, given
            if kind == TEXT:
                starts[field, line], ends[field, line] = at + 1, end
                given |= bit
            elif kind == TIME:
                numbers[field, line] = _time(data, at + 1, end)
                if numbers[field, line] == _NO_TIME:
                    return _FAILED, given
                given |= bit
            elif kind != _UNKNOWN:
                return _FAILED, given
            at = end + 1
        elif c == _OPEN:
            if kind != NESTED:
                return _FAILED, given
            inner = _blank(data, at + 1)
            if data[inner] != _CLOSE:
                scope = 1
                at += 1
                continue
            at = inner + 1
        elif c == _MINUS or _ZERO <= c <= _NINE:
            end, whole = _number_end(data, at)
            if end == _FAILED or (kind == INT and not whole) or kind in (TEXT, BOOL, TIME, NESTED):
                return _FAILED, given
            if kind == INT:
                numbers[field, line] = _whole(data, at, end)
            elif kind == FLOAT:
                starts[field, line], ends[field, line] = at, end
            given |= bit
            at = end
        else:
            at, value = _literal(data, at)
            if at == _FAILED or (value >= 0 and kind not in (BOOL, _UNKNOWN)):
                return _FAILED, given
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
            return _FAILED, given


@njit(cache=True, nogil=True)
def scan(data, keys, key_at, kinds, scopes, needed, starts, ends, numbers, given, good):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0913, PLR0917 - typed by numba
    """Read every line of `data` into the row of its number.

    `keys[key_at[f]:key_at[f + 1]]` names field f, of `kinds[f]`, inside the nested object when `scopes[f]`.
    Text and floats come out as spans (`starts`, `ends`), the rest as `numbers`; `given[n]` holds a bit for
    each field that line n gave a value. `good[n]` is False for a line that needs a closer look.
    """
    guesses = np.full(_GUESSES, _UNKNOWN, np.int64)
    at = 0
    for line in range(len(good)):
        end, fields = _line(data, at, line, keys, key_at, kinds, scopes, guesses, starts, ends, numbers)
        if end != _FAILED:
            end = _blank(data, end)
            good[line] = data[end] == _NEWLINE and fields & needed == needed
            given[line] = fields
            at = end
        while data[at] != _NEWLINE:
            at += 1
        at += 1


@njit(cache=True, nogil=True)
def _put_utf8(out, at, code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    if code < 0x80:  # noqa: PLR2004 - one byte
        out[at] = code
        return at + 1
    if code < 0x800:  # noqa: PLR2004 - two bytes
        out[at], out[at + 1] = 0xC0 | (code >> 6), 0x80 | (code & 0x3F)
        return at + 2
    if code < 0x10000:  # noqa: PLR2004 - three bytes
        out[at], out[at + 1], out[at + 2] = 0xE0 | (code >> 12), 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
        return at + 3
    out[at], out[at + 1] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 0x3F)
    out[at + 2], out[at + 3] = 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
    return at + 4


@njit(cache=True, nogil=True)
def _unescaped(data, place, out, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - typed by numba
    """Write what the escape sequence at `place` means; return where both go on."""
    c = data[place + 1]
    if c != 117:  # noqa: PLR2004 - u
        meaning = c
        if c == 98:  # noqa: PLR2004 - \b
            meaning = 8
        elif c == 102:  # noqa: PLR2004 - \f
            meaning = 12
        elif c == 110:  # noqa: PLR2004 - \n
            meaning = 10
        elif c == 114:  # noqa: PLR2004 - \r
            meaning = 13
        elif c == 116:  # noqa: PLR2004 - \t
            meaning = 9
        out[at] = meaning
        return place + 2, at + 1
    unit = _hex4(data, place + 2)
    if 0xD800 <= unit <= 0xDBFF:  # noqa: PLR2004 - a surrogate pair
        low = _hex4(data, place + 8)
        return place + 12, _put_utf8(out, at, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
    return place + 6, _put_utf8(out, at, unit)


@njit(cache=True, nogil=True)
def gather(data, starts, ends, has):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - typed by numba
    """Copy spans into Arrow's layout: offsets and bytes, escape sequences resolved."""
    room = 0
    for row in range(len(has)):
        if has[row]:
            room += ends[row] - starts[row]
    out = np.empty(room, np.uint8)
    offsets = np.empty(len(has) + 1, np.int32)
    offsets[0] = 0
    at = 0
    for row in range(len(has)):
        if has[row]:
            place = starts[row]
            while place < ends[row]:
                if data[place] == _BACKSLASH:
                    place, at = _unescaped(data, place, out, at)
                else:
                    out[at] = data[place]
                    place += 1
                    at += 1
        offsets[row + 1] = at
    return offsets, out[:at]
