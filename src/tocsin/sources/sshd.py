"""OpenSSH's daemon in syslog: log-ins, failures and what comes before them.

A log-in that worked belongs to the person: `user:NAME`. Everything that failed belongs to where it came
from, `ip:ADDRESS` with the name tried as counterparty, because the name may not exist and because one
address trying many names is one story. The log host is the resource. Lines of other programs, and of sshd
about nothing that anybody did, are left out and counted.

Classic syslog has no year and no zone: times are taken as UTC and the year from the file, see `syslog`.
A log written in another zone is off by that zone's offset, the same for every line; have rsyslog write RFC
3339 times, which carry their zone and are taken as they are.

Facts taken as given: a log-in as root is privileged.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.addresses import canonical_text
from tocsin.sources.columnar import joined, lines_at, mapped, match_lines
from tocsin.sources.lines import line_blocks
from tocsin.sources.source import Head, Source
from tocsin.sources.syslog import GRACE, Years, first_year, rfc3339
from tocsin.sources.tables import LINE, from_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_COLUMNAR: Final = (
    r"^(?:<\d{1,3}>)?(?:\d )?(?:(?P<old>[A-Z][a-z]{2} (?: \d|\d\d|\d) \d\d:\d\d:\d\d)"
    r"|(?P<new>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)) (?P<host>\S+) "
    r"(?P<program>[^\s\[:]+)(?:\[\d+\])?:? (?P<rest>.*)"
)
"""`_LINE` for a line with its newline."""
_PROGRAMS: Final = frozenset({"sshd", "sshd-session", "sshd-auth"})
_MARK: Final = re.compile(rb" (?:sshd(?:-session|-auth)?)(?:\[\d+\])?: ")
_MAX_USER: Final = 200
_NO_TIME: Final = np.datetime64("NaT", "us")
_TEXT: Final = pa.string()
_TIME: Final = pa.timestamp("us", tz="UTC")
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


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    first = intake.again()
    try:
        latest = min(intake.modified, intake.now) + GRACE
        years = Years(first_year(line_blocks(first, intake.silent()), latest), latest)
    finally:
        first.close()
    for block in line_blocks(stream, intake):
        yield _table(block, years, intake)


def _table(block: Block, years: Years, intake: Intake) -> pa.Table:
    groups, taken = match_lines(block, _COLUMNAR)
    closer = [(n, line.lstrip("\0")) for n, line in lines_at(block, np.flatnonzero(~taken))]
    times = _times(groups, taken, {n - block.first: m["old"] for n, t in closer if (m := _LINE.match(t))}, years)
    unknown = taken & np.isnat(times)
    taken &= ~unknown
    quick = _columns(groups.filter(pa.array(taken)), np.flatnonzero(taken))
    intake.leave_out(int(taken.sum()) - len(quick))
    rows = quick[LINE].to_numpy()
    quick = quick.set_column(quick.column_names.index(LINE), LINE, pa.array(block.first + rows))
    quick = quick.append_column("time", pa.array(times[rows]).cast(_TIME))
    if taken.all():
        return quick.sort_by(LINE)
    slow = _line_by_line(lines_at(block, np.flatnonzero(~taken)), times, block.first, intake)
    return pa.concat_tables([quick, slow], promote_options="default").sort_by(LINE)


def _times(groups: pa.StructArray, taken: np.ndarray, closer: dict[int, str | None], years: Years) -> np.ndarray:
    """Return the time of every line, in microseconds; each run of one classic timestamp is placed once."""
    new = mapped(groups.field("new"), rfc3339, _TIME).cast(pa.timestamp("us"))
    times = np.where(taken, new.to_numpy(zero_copy_only=False), _NO_TIME)
    encoded = groups.field("old").dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    codes = np.where(taken, encoded.indices.fill_null(0).to_numpy(), -1)
    for row, old in closer.items():
        codes[row] = len(texts)
        texts.append(old or "")
    told = np.array([bool(text) for text in texts], bool)
    rows = np.flatnonzero((codes >= 0) & told[codes])
    starts = np.flatnonzero(np.diff(codes[rows], prepend=-1))
    placed = [years.place(texts[code]) for code in codes[rows][starts].tolist()]
    moments = np.array([_NO_TIME if t is None else t.replace(tzinfo=None) for t in placed], "datetime64[us]")
    times[rows] = np.repeat(moments, np.diff(starts, append=len(rows)))
    return times


def _line_by_line(lines: Iterator[tuple[int, str]], times: np.ndarray, first: int, intake: Intake) -> pa.Table:
    """Do for single lines what `_columns` does for most of a block; set aside what is no record."""
    rows: list[tuple[Any, ...]] = []
    numbers: list[int] = []
    other = 0
    for number, written in lines:
        line = written.lstrip("\0")  # a crash leaves runs of NUL before the next line
        match = _LINE.match(line)
        if match is None:
            if line.strip():
                intake.put_aside(number, "not a syslog line", excerpt=line)
            continue
        time = rfc3339(match["new"]) if match["new"] else _moment(times[number - first])
        row = _event(match) if match["program"] in _PROGRAMS else None
        if row is None:
            other += 1
        elif time is None:
            intake.put_aside(number, "its time is no date", excerpt=line)
        else:
            rows.append((time, *row))
            numbers.append(number)
    intake.leave_out(other)
    return from_rows(_NAMES, rows, numbers)


def _moment(time: np.datetime64) -> datetime | None:
    moment = time.item()
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None


def _columns(groups: pa.StructArray, rows: np.ndarray) -> pa.Table:
    """Return everything but the time of the lines that are events; `rows` stand in for their numbers."""
    ours = pc.is_in(groups.field("program"), pa.array(sorted(_PROGRAMS)))
    groups, rows = groups.filter(ours), rows[ours.to_numpy(zero_copy_only=False)]
    rest = pc.utf8_trim_whitespace(groups.field("rest"))
    left = np.ones(len(rest), bool)
    parts = [_ruled(pc.extract_regex(rest.slice(0, 0), pattern=_RULES[0][1].pattern), groups.slice(0, 0), "", rows[:0])]
    for start, pattern, action in _RULES:
        at = np.flatnonzero(left & pc.starts_with(rest, start).to_numpy(zero_copy_only=False))
        if not len(at):
            continue
        if not pattern.groups:  # it names nobody
            left[
                at[pc.match_substring_regex(rest.take(pa.array(at)), pattern.pattern).to_numpy(zero_copy_only=False)]
            ] = False
            continue
        found = pc.extract_regex(rest.take(pa.array(at)), pattern=pattern.pattern)
        fits = found.is_valid()
        at = at[fits.to_numpy(zero_copy_only=False)]
        left[at] = False
        parts.append(_ruled(found.filter(fits), groups.take(pa.array(at)), action, rows[at]))
    return pa.concat_tables(parts)


def _ruled(found: pa.StructArray, groups: pa.StructArray, action: str, rows: np.ndarray) -> pa.Table:
    """Do for all lines of one rule what `_row` does for one."""
    said = {field.name: found.field(n) for n, field in enumerate(found.type)}
    nothing = pa.nulls(len(rows), _TEXT)
    origin = mapped(said["address"], lambda text: canonical_text(text) or text or None, _TEXT)
    user = pc.utf8_trim_whitespace(said.get("user", nothing))
    user = pc.if_else(pc.not_equal(user, ""), user, None)
    accepted = action.startswith("Accepted")
    by_address = joined("ip:", origin)
    verb, method, _ = action.partition("{method}")
    tried = joined("user:", pc.utf8_slice_codeunits(user, 0, _MAX_USER))
    table = pa.table(
        {
            "kind": pa.repeat("authentication", len(rows)),
            "subject": pc.coalesce(joined("user:", user), by_address) if accepted else by_address,
            "action": joined(verb, said["method"]) if method else pa.repeat(verb, len(rows)),
            "resource": joined("host/", groups.field("host")),
            "counterparty": nothing if accepted else tried,
            "origin.address": origin,
            "outcome": pa.repeat("success" if accepted else "failure", len(rows)),
            "privileged": pc.if_else(pc.equal(user, "root"), True, None)
            if accepted
            else pa.nulls(len(rows), pa.bool_()),
            LINE: pa.array(rows, pa.int64()),
        }
    )
    return table.filter(pc.is_valid(table["subject"]))


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
