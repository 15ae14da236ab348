"""nginx and Apache access logs in the combined or common format, with or without a virtual host in front.

`subject` is the authenticated user when the log names one, else `ip:ADDRESS`. `action` is the method;
`resource` the path without its query, numbers, UUIDs and long ids templated, so that `/order/17` and
`/order/18` are one resource. A request line that is no HTTP request has the action `malformed`. Status 400
and above is a failure. `bytes_out` is the size of the answer. A referrer is ignored: the client invents it.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.addresses import canonical_text
from tocsin.sources.columnar import joined, lines_at, mapped, match_lines
from tocsin.sources.lines import line_blocks
from tocsin.sources.source import Head, Source
from tocsin.sources.tables import LINE, from_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.intake import Intake
    from tocsin.sources.lines import Block
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE"]

_NAMES: Final = (
    "time", "kind", "subject", "action", "resource", "origin.address", "origin.agent", "outcome", "bytes_out",
)  # fmt: skip
_QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_REST: Final = (
    r"(\S++) \S++ (\S++(?: \S++)*?) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rf"{_QUOTED} (\d{{3}}) (\d++|-)(?: {_QUOTED} {_QUOTED})?"
)
_LINE: Final = re.compile(_REST)
_WITH_HOST: Final = re.compile(rf"[\w.-]++(?::\d++)? {_REST}")
_COLUMNAR: Final = (
    r"^(?P<host>\S+) \S+ (?P<user>\S+(?: \S+)*?) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<size>\d+|-)(?P<tail> "[^"]*" "(?P<agent>[^"]*)")?'
)
"""`_LINE` for lines without a backslash."""
_MARK: Final = re.compile(
    rb'^\S+(?: \S+)? \S+ .{1,200}? \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] ".*" \d{3} (?:\d+|-)(?: "|$)'
)
_REQUEST: Final = re.compile(r"^([A-Z][A-Z_-]{1,19}) (\S.*?)(?: HTTP/\d(?:\.\d)?)?$")
_TEMPLATES: Final = (
    (re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"), "{uuid}"),
    (re.compile(r"(?<=/)[0-9A-Fa-f]{16,}(?=[/.]|$)"), "{hex}"),
    (re.compile(r"(?<=[/_.-])\d+(?=[/_.-]|$)"), "{n}"),
)
_MONTHS: Final = {
    m: n for n, m in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)
}
_DIGIT: Final = re.compile(r"[0-9]|[A-Fa-f]{16}")
_MAX_PATH: Final = 200
_MAX_RAW: Final = 1000
_FAILURES: Final = "45"
_NO_USER: Final = ("-", '""')
_NOBODY: Final = pa.array(_NO_USER)
_MOST_DIGITS: Final = 16
"""Sizes of fewer digits fit an int64."""
_TEXT: Final = pa.string()
_TIME: Final = pa.timestamp("us", tz="UTC")


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    for block in line_blocks(stream, intake):
        yield _table(block, intake)


def _table(block: Block, intake: Intake) -> pa.Table:
    groups, taken = match_lines(block, _COLUMNAR)
    times = mapped(groups.field("time"), _time, _TIME)
    taken &= times.is_valid().to_numpy(zero_copy_only=False)
    quick = _columns(groups.filter(pa.array(taken)), times.filter(pa.array(taken)))
    quick = quick.append_column(LINE, pa.array(block.first + np.flatnonzero(taken)))
    if taken.all():
        return quick
    closer = _line_by_line(lines_at(block, np.flatnonzero(~taken)), intake)
    return pa.concat_tables([quick, closer], promote_options="default").sort_by(LINE)


def _columns(groups: pa.StructArray, times: pa.Array) -> pa.Table:
    address = mapped(groups.field("host"), _address, _TEXT)
    user = groups.field("user")
    asked = groups.field("request").dictionary_encode()
    requests = [_asked(request) for request in asked.dictionary.to_pylist()]
    size, agent = groups.field("size"), groups.field("agent")
    countable = pc.and_(pc.not_equal(size, "-"), pc.less(pc.binary_length(size), _MOST_DIGITS))
    said = pc.and_(pc.not_equal(groups.field("tail"), ""), pc.not_equal(agent, "-"))
    failed = pc.is_in(pc.utf8_slice_codeunits(groups.field("status"), 0, 1), pa.array(list(_FAILURES)))
    return pa.table(
        {
            "time": times,
            "kind": pa.repeat("api", len(groups)),
            "subject": pc.if_else(pc.is_in(user, _NOBODY), joined("ip:", address), joined("user:", user)),
            "action": pa.array([action for action, _ in requests], _TEXT).take(asked.indices),
            "resource": pa.array([resource for _, resource in requests], _TEXT).take(asked.indices),
            "origin.address": address,
            "origin.agent": pc.if_else(said, agent, None),
            "outcome": pc.if_else(failed, "failure", "success"),
            "bytes_out": pc.if_else(countable, size, None).cast(pa.int64()),
        }
    )


def _line_by_line(lines: Iterator[tuple[int, str]], intake: Intake) -> pa.Table:
    """Do for single lines what `_columns` does for most of a block; set aside what is no record."""
    rows: list[tuple[Any, ...]] = []
    numbers: list[int] = []
    for number, line in lines:
        match = _LINE.match(line) or _WITH_HOST.match(line)
        time = _time(match[3]) if match else None
        if match is None or time is None:
            if line.strip():
                intake.put_aside(number, "not a combined log line", excerpt=line)
            continue
        host, user, _, request, status, size, _, agent = match.groups()
        action, resource = _asked(request)
        address = _address(host)
        subject = f"ip:{address}" if user in _NO_USER else f"user:{user}"
        outcome = "failure" if status[0] in _FAILURES else "success"
        sent = int(size) if size != "-" and len(size) < _MOST_DIGITS else None
        agent = None if agent == "-" else agent
        rows.append((time, "api", subject, action, resource, address, agent, outcome, sent))
        numbers.append(number)
    return from_rows(_NAMES, rows, numbers)


@lru_cache(1 << 14)
def _address(host: str) -> str:
    return canonical_text(host) or host.lower()


@lru_cache(1 << 14)
def _asked(request: str) -> tuple[str, str | None]:
    match = _REQUEST.match(request)
    if match is None:
        return "malformed", None
    path = match[2].partition("?")[0]
    if path.startswith(("http://", "https://")):
        path = path.partition("://")[2]
    return match[1], _templated(path[:_MAX_RAW])[:_MAX_PATH]


@lru_cache(1 << 14)
def _templated(path: str) -> str:
    if _DIGIT.search(path) is not None:
        for pattern, name in _TEMPLATES:
            path = pattern.sub(name, path)
    return path


@lru_cache(1 << 12)
def _time(text: str) -> datetime | None:
    """Read `17/Oct/2023:05:57:49 +1100` without the locale that `strptime` would obey."""
    try:
        return datetime.fromisoformat(
            f"{text[7:11]}-{_MONTHS[text[3:6]]:02d}-{text[:2]}T{text[12:20]}{text[21:24]}:{text[24:26]}"
        )
    except (KeyError, ValueError):
        return None


def _recognise(head: Head) -> bool:
    marked = sum(_MARK.match(line) is not None for line in head.lines)
    return marked * 2 >= len(head.lines) > 0


SOURCE: Final = Source("weblog", _recognise, _read)
