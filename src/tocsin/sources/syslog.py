"""Times of syslog lines: classic ones without year or zone, and RFC 3339.

Classic times are taken as UTC: the log does not say its zone, and a guess would differ from machine to
machine. The year is the latest in which the last line of the file lies no later than the file's own
modification and `now` (a day's grace for clocks); earlier lines follow from the sequence, a jump back of
more than half a year being a turn of the year.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.lines import Block

__all__ = ["GRACE", "Years", "first_year", "rfc3339"]

_MONTHS: Final = {m: n for n, m in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}  # noqa: SIM905 - reads as the calendar
_OLD_DAYS: Final = re.compile(rb"(?m)^(?:<\d{1,3}>)?([A-Z][a-z]{2} (?: \d|\d\d|\d)) \d\d:\d\d:\d\d ")
_LEAP_YEAR: Final = 2000
_HALF_YEAR: Final = timedelta(days=183)
GRACE: Final = timedelta(days=1)


class Years:
    """Gives the times of one file their year, line after line."""

    def __init__(self, first: int, latest: datetime | None = None) -> None:
        self._year = first
        self._latest = latest
        self._before: datetime | None = None

    def place(self, old: str) -> datetime | None:
        """Return the UTC time of a classic timestamp; None when it is no date."""
        time = _moment(old, self._year)
        if time is None:
            return None
        if self._before is not None and abs(time - self._before) > _HALF_YEAR:
            year = self._year + (1 if time < self._before else -1)
            moved = _moment(old, year)
            if moved is not None and abs(moved - self._before) <= _HALF_YEAR:
                self._year, time = year, moved
        if self._latest is not None and time > self._latest:
            # Lines out of any sequence (files put together by hand) must not land in the future.
            this_year = _moment(old, self._latest.year)
            fits = this_year is not None and this_year <= self._latest
            return this_year if fits else _moment(old, self._latest.year - 1)
        self._before = time
        return time


@lru_cache(1 << 12)
def _moment(old: str, year: int) -> datetime | None:
    try:
        hour, minute, second = int(old[-8:-6]), int(old[-5:-3]), int(old[-2:])
        return datetime(year, _MONTHS[old[:3]], int(old[4:6]), hour, minute, min(second, 59), tzinfo=UTC)
    except (KeyError, ValueError):
        return None


def first_year(blocks: Iterator[Block], latest: datetime) -> int:
    """Return the year of the first line, so that the last one lies no later than `latest`."""
    years = Years(_LEAP_YEAR)
    last = None
    for block in blocks:
        for day, _ in groupby(_OLD_DAYS.findall(block.data)):
            last = years.place(f"{day.decode()} 00:00:00") or last
    if last is None:
        return latest.year
    # 29 February exists only in some years, hence the search.
    for year in range(latest.year, latest.year - 9, -1):
        try:
            if last.replace(year=year) <= latest:
                return year - (last.year - _LEAP_YEAR)
        except ValueError:
            continue
    return latest.year


@lru_cache(1 << 12)
def rfc3339(text: str) -> datetime | None:
    """Return the time; UTC where it names no zone, None when it is no date."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
