"""Tocsin's own JSON lines: one `Event` a line, nested `origin`, RFC 3339 times with a zone.

Two speeds. In bulk, a block of lines goes through one columnar parse; a block holding anything unusual
is split, so that only the bad line is set aside. One live event is a typed `msgspec` decode. Both accept
the same records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json

from tocsin.errors import RecordError
from tocsin.event import EVENT_SCHEMA, Event, to_batch
from tocsin.sources.lines import MAX_LINE_BYTES, Block, line_blocks
from tocsin.sources.source import Head, Source
from tocsin.sources.tables import LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE", "parse_event"]

_DECODER: Final = msgspec.json.Decoder(Event)
_HINT: Final = "a line is one JSON object with at least `time` (RFC 3339, with a zone), `kind`, `subject`, `action`"
_KEYS: Final = (b'"time"', b'"kind"', b'"subject"', b'"action"')
_ORIGIN: Final = "origin"
_OWN: Final = {"source_file", "source_line"}


def _json_schema() -> pa.Schema:
    flat = [f for f in EVENT_SCHEMA if "." not in f.name and f.name not in _OWN]
    nested = [pa.field(f.name.partition(".")[2], f.type) for f in EVENT_SCHEMA if "." in f.name]
    text = [pa.field(f.name, pa.string() if f.name == "time" else f.type) for f in flat]
    return pa.schema([*text, pa.field(_ORIGIN, pa.struct(nested))])


_PARSE: Final = pyarrow.json.ParseOptions(explicit_schema=_json_schema(), unexpected_field_behavior="ignore")


def parse_event(data: bytes | bytearray | memoryview | str) -> Event:
    """Read one live event from its JSON; raises `RecordError` with what is wrong.

    >>> parse_event(b'{"time":"2026-03-01T09:00:00Z","kind":"api","subject":"user:ada","action":"GET"}').subject
    'user:ada'
    """
    if len(data) > MAX_LINE_BYTES:
        raise RecordError(f"the event is longer than {MAX_LINE_BYTES:,} bytes", hint=_HINT)
    try:
        event = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(str(error)[:1].lower() + str(error)[1:], hint=_HINT) from None
    if event.time.tzinfo is None:
        raise RecordError("`time` has no zone", hint="end it with `Z` or an offset such as `+02:00`")
    kind, colon, name = event.subject.partition(":")
    if not (kind and colon and name):
        raise RecordError("`subject` is not written `type:id`", hint="write `user:ada`, `key:…`, `ip:…`")
    return event


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    for block in line_blocks(stream, intake):
        lines = np.arange(block.first, block.first + block.count)
        table = _columns(block.data, block.count)
        yield _numbered(table, lines) if table is not None else _line_by_line(block, intake)


def _columns(data: bytes, count: int) -> pa.Table | None:
    """Parse whole lines at once; None when any line needs a closer look.

    INVARIANT: as many rows as lines, and every line end stands between `}` and `{`, so row n is line n.
    """
    if b"\0" in data or data.count(b"}\n{") != count - 1 or not data.startswith(b"{"):
        return None
    options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1)
    try:
        table = pyarrow.json.read_json(pa.BufferReader(data), options, _PARSE)
        time = table["time"].cast(EVENT_SCHEMA.field("time").type)
    except pa.ArrowInvalid:
        return None
    if len(table) != count or time.null_count:
        return None
    return _flat(table.set_column(table.schema.get_field_index("time"), "time", time))


def _flat(table: pa.Table) -> pa.Table:
    origin = table[_ORIGIN].combine_chunks()
    table = table.drop_columns([_ORIGIN])
    for field, column in zip(origin.type, origin.flatten(), strict=True):
        if column.null_count < len(column):
            table = table.append_column(f"{_ORIGIN}.{field.name}", column)
    return table


def _numbered(table: pa.Table, lines: np.ndarray) -> pa.Table:
    return table.append_column(LINE, pa.array(lines, pa.int64()))


def _line_by_line(block: Block, intake: Intake) -> pa.Table:
    """Keep the lines that are events, set the others aside."""
    good: list[Event] = []
    numbers: list[int] = []
    for number, line in enumerate(block.data.split(b"\n")[: block.count], block.first):
        if not line.strip():
            continue
        try:
            good.append(parse_event(line))
            numbers.append(number)
        except RecordError as error:
            intake.put_aside(number, error.message, hint=error.hint, excerpt=line[:400])
    table = pa.Table.from_batches([to_batch(good)]).drop_columns(list(_OWN))
    return _numbered(table, np.array(numbers, np.int64))


def _recognise(head: Head) -> bool:
    line = head.lines[0] if head.lines else b""
    return line.startswith(b"{") and all(key in line for key in _KEYS)


SOURCE: Final = Source("tocsin", _recognise, _read)
