"""CERT insider threat data, release 4.2: `logon`, `device`, `file`, `email` and `http`, with or without header.

Each file is known by its content: an id in braces, a time, a user, a machine, then what happened. `subject`
is the user, `origin.device` the machine. Files are copies to removable media; mail is what the user sent,
its counterparty the first recipient outside the sender's own domain, if there is one. Web pages come down
to their host, files to their extension, because each single page and file is seen once. Times carry no
zone and are taken as UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tocsin.sources.lines import record_blocks
from tocsin.sources.source import Head, Source
from tocsin.sources.tables import csv_header, from_rows, read_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from tocsin.sources.intake import Intake
    from tocsin.sources.lines import Block
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE"]

_NAMES: Final = (
    "kind", "action", "resource", "counterparty", "outcome", "bytes_out", "count", "time", "subject",
    "origin.device", "uid",
)  # fmt: skip
_ROW: Final = re.compile(rb"^\{[A-Z0-9]{4}-[A-Z0-9]{8}-[A-Z0-9]{8}\},\d\d/\d\d/\d{4} \d\d:\d\d:\d\d,[^,]+,PC-\d+,")
_HEADER: Final = b"id,date,user,pc,"
_COMMON: Final = ("id", "date", "user", "pc")
_KINDS: Final = {
    "activity": ("activity",),
    "http": ("url", "content"),
    "file": ("filename", "content"),
    "email": ("to", "cc", "bcc", "from", "size", "attachments", "content"),
}
_LOGONS: Final = frozenset({"Logon", "Logoff"})
Happening = tuple[Any, ...]


def _activity(activity: str) -> Happening:
    kind = "authentication" if activity in _LOGONS else "change"
    return kind, activity, "machine" if activity in _LOGONS else "removable-media", None, "success", None, None


def _http(url: str) -> Happening:
    host = url.partition("://")[2].partition("/")[0].lower()
    return "api", "visit", f"web/{host}", None, "success", None, None


def _file(name: str) -> Happening:
    return (
        "transfer",
        "copy to removable media",
        f"file/{name.rpartition('.')[2].lower()[:20]}",
        None,
        "success",
        None,
        None,
    )


def _email(*columns: str) -> Happening:
    to, cc, bcc, sender, size, attachments = columns
    recipients = [r.strip().lower() for r in f"{to};{cc};{bcc}".split(";") if r.strip()]
    own = sender.rpartition("@")[2].lower()
    outside = [r for r in recipients if r.rpartition("@")[2] != own]
    first = next(iter(outside or recipients), "")
    where = "mail/outside" if outside else "mail/inside"
    action = "send with attachment" if attachments.strip() not in {"", "0"} else "send"
    sent = int(size) if size.isdecimal() else None
    return "transfer", action, where, f"mailbox:{first}" if first else None, "success", sent, len(recipients)


_READERS: Final[dict[str, tuple[Callable[..., Happening], tuple[str, ...]]]] = {
    "activity": (_activity, ("activity",)),
    "http": (_http, ("url",)),
    "file": (_file, ("filename",)),
    "email": (_email, ("to", "cc", "bcc", "from", "size", "attachments")),
}


def _kind_of(fields: list[str]) -> str | None:
    """Tell the five files apart by the shape of one record."""
    rest = fields[len(_COMMON) :]
    if len(rest) == 1:
        return "activity"
    if len(rest) == len(_KINDS["email"]):
        return "email"
    if len(rest) == len(_KINDS["http"]):
        return "http" if "://" in rest[0] else "file"
    return None


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    kind, offset = None, 0
    for block in record_blocks(stream, intake):
        if kind is None:
            offset = int(block.data.startswith(_HEADER))
            body = block.data.split(b"\n", 1)[1] if offset else block.data
            kind = _kind_of(csv_header(body))
            if kind is None:
                intake.put_aside(0, "none of the five files of release 4.2", excerpt=body[:200])
                return
        yield _table(block, kind, offset, intake)


def _table(block: Block, kind: str, offset: int, intake: Intake) -> pa.Table:
    happening, wanted = _READERS[kind]
    table = read_csv(block, [*_COMMON, *_KINDS[kind]], [*_COMMON, *wanted], intake, offset=offset)
    columns = [table[name].to_pylist() for name in (*_COMMON, *wanted)]
    rows: list[tuple[Any, ...]] = []
    lines: list[int] = []
    for line, uid, date, user, machine, *rest in zip(table["source_line"].to_pylist(), *columns, strict=True):
        time = _time(date)
        if line < 1:
            continue
        if time is None:
            intake.put_aside(line, "its time is not written month/day/year hour:minute:second", excerpt=date)
            continue
        rows.append((*happening(*rest), time, f"user:{user}", machine, uid))
        lines.append(line)
    return from_rows(_NAMES, rows, lines)


@lru_cache(1 << 12)
def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _recognise(head: Head) -> bool:
    rows = head.lines[1:] if head.text.startswith(_HEADER) else head.lines
    return bool(rows) and _ROW.match(rows[0]) is not None


SOURCE: Final = Source("cert", _recognise, _read)
