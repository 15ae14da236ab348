"""OpenSSH's daemon in syslog: log-ins, failures and what comes before them.

A log-in that worked belongs to the person: `user:NAME`. Everything that failed belongs to where it came
from, `ip:ADDRESS` with the name tried as counterparty, because the name may not exist and because one
address trying many names is one story. The log host is the resource. Lines of other programs, and of sshd
about nothing that anybody did, are left out and counted.

Classic syslog has no year and no zone. Times are taken as UTC; the year is the latest in which the last
line of the file lies no later than the file's own modification and `now` (a day's grace for clocks);
earlier lines follow from the sequence, a jump back of more than half a year being a turn of the year.
RFC 3339 times (rsyslog, journald) are taken as they are.

Facts taken as given: a log-in as root is privileged.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from tocsin.sources.address import canonical_text
from tocsin.sources.lines import line_blocks
from tocsin.sources.source import Head, Source
from tocsin.sources.tables import from_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tocsin.sources.intake import Intake
    from tocsin.sources.lines import Block
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE"]

_NAMES: Final = (
    "time", "kind", "subject", "action", "resource", "counterparty", "origin.address", "outcome", "privileged",
)  # fmt: skip
_LINE: Final = re.compile(
    r"^(?:<\d{1,3}>)?(?:\d )?(?:(?P<old>[A-Z][a-z]{2} (?: \d|\d\d|\d) \d\d:\d\d:\d\d)"
    r"|(?P<new>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)) (?P<host>\S+) "
    r"(?P<program>[^\s\[:]+)(?:\[(?P<pid>\d+)\])?:? (?P<rest>.*)$"
)
_PROGRAMS: Final = frozenset({"sshd", "sshd-session", "sshd-auth"})
_MONTHS: Final = {m: n for n, m in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}  # noqa: SIM905 - reads as the calendar
_OLD_DAYS: Final = re.compile(rb"(?m)^(?:<\d{1,3}>)?([A-Z][a-z]{2} (?: \d|\d\d|\d)) \d\d:\d\d:\d\d ")
_MARK: Final = re.compile(rb" (?:sshd(?:-session|-auth)?)(?:\[\d+\])?: ")
_LEAP_YEAR: Final = 2000
_MAX_USER: Final = 200
_HALF_YEAR: Final = timedelta(days=183)
_GRACE: Final = timedelta(days=1)
_FROM: Final = r"(?P<address>\S+)(?: port (?P<port>\d+))?"
_WHO: Final = r"(?P<user>.*?)"
_RULES: Final = tuple(
    (start, re.compile(pattern), action)
    for start, pattern, action in (
        # The name is greedy: a name holding ` from 192.0.2.1 port 22` must not choose the address.
        ("Accepted", rf"^Accepted (?P<method>\S+) for (?P<user>.*) from {_FROM}(?: ssh\d?)?", "Accepted {method}"),
        (
            "Failed",
            rf"^Failed (?P<method>\S+) for (?:invalid user )?(?P<user>.*) from {_FROM}(?: ssh\d?)?",
            "Failed {method}",
        ),
        ("Invalid user", rf"^Invalid user (?P<user>.*) from {_FROM}$", "Invalid user"),
        ("Illegal user", rf"^Illegal user (?P<user>.*) from {_FROM}$", "Invalid user"),
        ("User", rf"^User (?P<user>.*) from {_FROM} not allowed", "User not allowed"),
        ("ROOT LOGIN REFUSED", rf"^ROOT LOGIN REFUSED FROM {_FROM}", "Root login refused"),
        (
            "error: maximum",
            rf"^error: maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.*) from {_FROM}",
            "Too many attempts",
        ),
        (
            "pam_unix",
            r"^pam_\w+\(sshd:auth\): authentication failure;.*\brhost=(?P<address>\S+)(?:\s+user=(?P<user>.*))?$",
            "PAM failure",
        ),
        (
            "Disconnected from",
            rf"^Disconnected from (?:authenticating|invalid) user {_WHO} {_FROM} \[preauth\]",
            "Disconnected before login",
        ),
        (
            "Connection",
            rf"^Connection (?:closed|reset) by (?:authenticating|invalid) user {_WHO} {_FROM} \[preauth\]",
            "Disconnected before login",
        ),
        ("Connection", rf"^Connection (?:closed|reset) by {_FROM} \[preauth\]", "Disconnected before login"),
        ("fatal: Timeout", rf"^fatal: Timeout before authentication for {_FROM}", "Timeout before login"),
        ("Timeout", rf"^Timeout before authentication for {_FROM}", "Timeout before login"),
        ("Did not receive", rf"^Did not receive identification string from {_FROM}", "No identification"),
        ("Unable to negotiate", rf"^Unable to negotiate with {_FROM}", "No common algorithm"),
        ("fatal: Unable", rf"^fatal: Unable to negotiate with {_FROM}", "No common algorithm"),
        ("Bad protocol", rf"^Bad protocol version identification .* from {_FROM}$", "Bad protocol"),
        ("banner exchange", rf"^banner exchange: Connection from {_FROM}: ", "Bad protocol"),
        ("Bad packet", r"^Bad packet length .* \[preauth\]", "Bad protocol"),
    )
)


_BY_LETTER: Final = {letter: tuple(r for r in _RULES if r[0][0] == letter) for letter in {r[0][0] for r in _RULES}}


class _Years:
    """Gives the times of one file their year, line after line; see the module's words on it."""

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


def _first_year(blocks: Iterator[Block], latest: datetime) -> int:
    """Return the year of the first line, so that the last one lies no later than `latest`."""
    years = _Years(_LEAP_YEAR)
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


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    first = intake.again()
    try:
        latest = min(intake.modified, intake.now) + _GRACE
        years = _Years(_first_year(line_blocks(first, intake.silent()), latest), latest)
    finally:
        first.close()
    for block in line_blocks(stream, intake):
        yield _table(block, years, intake)


def _table(block: Block, years: _Years, intake: Intake) -> pa.Table:
    rows: list[tuple[Any, ...]] = []
    lines: list[int] = []
    other = 0
    for number, line in enumerate(block.data.decode().split("\n")[: block.count], block.first):
        line = line.lstrip("\0")  # noqa: PLW2901 - a crash leaves runs of NUL before the next line
        match = _LINE.match(line)
        if match is None:
            if line.strip():
                intake.put_aside(number, "not a syslog line", excerpt=line)
            continue
        time = years.place(match["old"]) if match["old"] else _rfc3339(match["new"])
        row = _event(match) if match["program"] in _PROGRAMS else None
        if row is None:
            other += 1
        elif time is None:
            intake.put_aside(number, "its time is no date", excerpt=line)
        else:
            rows.append((time, *row))
            lines.append(number)
    intake.leave_out(other)
    return from_rows(_NAMES, rows, lines)


@lru_cache(1 << 12)
def _rfc3339(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _event(line: re.Match[str]) -> tuple[Any, ...] | None:
    """Return everything but the time; None when nobody did anything."""
    rest = line["rest"].strip()
    for start, pattern, action in _BY_LETTER.get(rest[:1], ()):
        if rest.startswith(start) and (match := pattern.match(rest)):
            return _row(line["host"], action, match.groupdict())
    return None


def _row(host: str, action: str, said: dict[str, str | None]) -> tuple[Any, ...] | None:
    user, address = said.get("user"), said.get("address")
    origin = (canonical_text(address) or address) if address else None
    accepted = action.startswith("Accepted")
    user = user.strip() if user else None
    if accepted and user:
        subject, counterparty = f"user:{user}", None
    elif origin:
        subject, counterparty = f"ip:{origin}", f"user:{user[:_MAX_USER]}" if user else None
    else:
        return None
    outcome = "success" if accepted else "failure"
    privileged = True if accepted and user == "root" else None
    action = action.format(method=said.get("method", ""))
    return ("authentication", subject, action, f"host/{host}", counterparty, origin, outcome, privileged)


def _recognise(head: Head) -> bool:
    return any(_MARK.search(line) for line in head.lines)


SOURCE: Final = Source("sshd", _recognise, _read)
