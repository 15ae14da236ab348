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
    "time", "kind", "subject", "action", "resource", "origin.address", "origin.agent", "outcome", "bytes_out",
)  # fmt: skip
_QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_REST: Final = (
    r"(\S++) \S++ (\S++(?: \S++)*?) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rf"{_QUOTED} (\d{{3}}) (\d++|-)(?: {_QUOTED} {_QUOTED})?"
)
_LINE: Final = re.compile(_REST)
_WITH_HOST: Final = re.compile(rf"[\w.-]++(?::\d++)? {_REST}")
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


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    for block in line_blocks(stream, intake):
        yield _table(block, intake)


def _table(block: Block, intake: Intake) -> pa.Table:
    rows: list[tuple[Any, ...]] = []
    lines: list[int] = []
    for number, line in enumerate(block.data.decode().split("\n")[: block.count], block.first):
        match = _LINE.match(line) or _WITH_HOST.match(line)
        time = _time(match[3]) if match else None
        if match is None or time is None:
            if line.strip():
                intake.put_aside(number, "not a combined log line", excerpt=line)
            continue
        host, user, _, request, status, size, _, agent = match.groups()
        action, resource = _asked(request)
        address, subject = _who(host, user)
        outcome = "failure" if status[0] in _FAILURES else "success"
        sent = int(size) if size != "-" and len(size) < 16 else None  # noqa: PLR2004 - digits of a size that fits int64
        agent = None if agent == "-" else agent
        rows.append((time, "api", subject, action, resource, address, agent, outcome, sent))
        lines.append(number)
    return from_rows(_NAMES, rows, lines)


@lru_cache(1 << 14)
def _who(host: str, user: str) -> tuple[str, str]:
    address = canonical_text(host) or host.lower()
    return address, f"ip:{address}" if user in {"-", '""'} else f"user:{user}"


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
