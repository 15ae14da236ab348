"""RFC 3339 times out of bytes, compiled."""

# Numba types these functions, bytes are compared as ASCII codes, and a grammar is one long function.
# ruff: noqa: ANN001, ANN201, ANN202, C901, PLR0911, PLR1714, PLR2004

from __future__ import annotations

from typing import Final

from numba import njit

__all__ = ["NO_TIME", "read_time"]

NO_TIME: Final = -(1 << 62)
_MINUS, _PLUS, _DOT, _COLON, _ZERO, _NINE = 45, 43, 46, 58, 48, 57


@njit(cache=True, nogil=True)
def digits(data, at, count):  # type: ignore[no-untyped-def]
    value = 0
    for step in range(count):
        c = data[at + step]
        if c < _ZERO or c > _NINE:
            return -1
        value = value * 10 + (c - 48)
    return value


@njit(cache=True, nogil=True)
def _days(year, month, day):  # type: ignore[no-untyped-def]
    """Return days since 1970 in the proleptic Gregorian calendar (Hinnant, `days_from_civil`)."""
    year -= month <= 2  # the year begins in March
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # see above
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(cache=True, nogil=True)
def _month_length(year, month):  # type: ignore[no-untyped-def]
    if month == 2:  # February
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@njit(cache=True, nogil=True)
def read_time(data, at, end):  # type: ignore[no-untyped-def]
    """Read `2026-03-01T09:00:00.123456Z` as microseconds since 1970; `NO_TIME` when it is written otherwise."""
    if end - at < 20 or data[at + 4] != _MINUS or data[at + 7] != _MINUS or data[at + 10] != 84:  # T
        return NO_TIME
    if data[at + 13] != _COLON or data[at + 16] != _COLON:
        return NO_TIME
    year, month, day = digits(data, at, 4), digits(data, at + 5, 2), digits(data, at + 8, 2)
    hour, minute, second = digits(data, at + 11, 2), digits(data, at + 14, 2), digits(data, at + 17, 2)
    if year < 1 or month < 1 or month > 12 or day < 1 or day > _month_length(year, month):  # months
        return NO_TIME
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:  # a clock
        return NO_TIME
    at += 19
    fraction = 0
    if data[at] == _DOT:
        scale = 1_000_000
        at += 1
        while at < end and _ZERO <= data[at] <= _NINE:
            scale //= 10
            fraction += (data[at] - 48) * scale
            at += 1
        if scale == 1_000_000 or scale == 0:  # no digit, or more than six
            return NO_TIME
    offset = 0
    if end - at == 6 and (data[at] == _PLUS or data[at] == _MINUS) and data[at + 3] == _COLON:  # +hh:mm
        hours, minutes = digits(data, at + 1, 2), digits(data, at + 4, 2)
        if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:  # a clock
            return NO_TIME
        offset = (hours * 60 + minutes) * (60 if data[at] == _PLUS else -60)
    elif end - at != 1 or data[at] != 90:  # Z
        return NO_TIME
    seconds = _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 1_000_000 + fraction
