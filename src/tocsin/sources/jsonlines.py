"""Tocsin's own JSON lines: one `Event` a line, nested `origin`, RFC 3339 times with a zone.

Two speeds. In bulk, a compiled scanner puts lines straight into columns; what it does not take is looked at
line by line, so that only a bad line is set aside. One live event is a typed `msgspec` decode. Both accept
the same records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa

from tocsin.errors import RecordError
from tocsin.event import EVENT_SCHEMA, OWN_FIELDS, Event, to_batch
from tocsin.sources.escapes import gather
from tocsin.sources.lines import MAX_LINE_BYTES, Block, line_blocks
from tocsin.sources.runs import REACH
from tocsin.sources.scan import BOOL, FLOAT, INT, NESTED, TEXT, TIME, scan
from tocsin.sources.source import Head, Source
from tocsin.sources.tables import LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE", "parse_event"]

_DECODER: Final = msgspec.json.Decoder(Event)
_HINT: Final = "a line is one JSON object with at least `time` (RFC 3339, with a zone), `kind`, `subject`, `action`"
_WHOLE: Final = tuple(field.name for field in EVENT_SCHEMA if field.type == pa.int64() and field.name not in OWN_FIELDS)
_MOST_WHOLE: Final = 1 << 63
_REQUIRED: Final = ("time", "kind", "subject", "action")
_KIND_OF: Final = {pa.string(): TEXT, pa.int64(): INT, pa.float64(): FLOAT, pa.bool_(): BOOL}


class _Layout:
    """The event's fields as the scanner wants them: keys, kinds, and which lie inside `origin`."""

    def __init__(self) -> None:
        self.fields = [f for f in EVENT_SCHEMA if f.name not in OWN_FIELDS]
        names = [f.name.rpartition(".")[2] for f in self.fields] + ["origin"]
        encoded = [name.encode() for name in names]
        self.keys = np.frombuffer(b"".join(encoded) + bytes(REACH), np.uint8)
        self.key_at = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
        kinds = [_KIND_OF.get(f.type, TIME) for f in self.fields]
        self.kinds = np.array([*kinds, NESTED], np.int64)
        self.scopes = np.array([int("." in f.name) for f in self.fields] + [0], np.int64)
        bits = [1 << at for at, f in enumerate(self.fields) if f.name in _REQUIRED]
        self.needed = np.uint64(sum(bits))


_LAYOUT: Final = _Layout()


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
    for name in _WHOLE:
        value = getattr(event, name)
        if value is not None and not -_MOST_WHOLE <= value < _MOST_WHOLE:
            raise RecordError(f"`{name}` does not fit 64 bits", hint="a count, or a number of bytes, is far smaller")
    forged = [name for name in OWN_FIELDS if getattr(event, name) is not None]
    return msgspec.structs.replace(event, **dict.fromkeys(forged)) if forged else event


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    for block in line_blocks(stream, intake):
        table, good = _columns(block)
        if good.all():
            yield table
        else:
            closer = _line_by_line(block, np.flatnonzero(~good), intake)
            joined = pa.concat_tables([table.filter(pa.array(good)), closer], promote_options="default")
            yield joined.sort_by(LINE)


def _columns(block: Block) -> tuple[pa.Table, np.ndarray]:
    """Scan a block; rows that are False in the mask hold nothing and need a closer look."""
    rows, fields = block.count, len(_LAYOUT.kinds)
    data = np.frombuffer(block.data, np.uint8)
    starts, ends = np.empty((2, fields, rows), np.int32)
    numbers = np.empty((fields, rows), np.int64)
    given, good = np.zeros(rows, np.uint64), np.zeros(rows, np.bool_)
    layout = _LAYOUT
    scan(
        data, layout.keys, layout.key_at, layout.kinds, layout.scopes, layout.needed, starts, ends, numbers, given, good
    )
    columns: dict[str, pa.Array] = {}
    for at, field in enumerate(layout.fields):
        has = (given & np.uint64(1 << at)) != 0
        if has.any():
            columns[field.name] = _column(field.type, has, data, starts[at], ends[at], numbers[at])
    columns[LINE] = pa.array(np.arange(block.first, block.first + rows))
    return pa.table(columns), good


def _column(  # noqa: PLR0913, PLR0917 - one row of each scanner output
    kind: pa.DataType, has: np.ndarray, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, numbers: np.ndarray
) -> pa.Array:
    valid = None if has.all() else pa.py_buffer(np.packbits(has, bitorder="little"))
    if kind in {pa.string(), pa.float64()}:
        offsets, text = gather(data, starts, ends, has)
        column = pa.StringArray.from_buffers(len(has), pa.py_buffer(offsets), pa.py_buffer(text), valid)
        return column if kind == pa.string() else column.cast(kind)
    if kind == pa.bool_():
        return pa.array(numbers == 1, mask=~has)
    return pa.Array.from_buffers(kind, len(has), [valid, pa.py_buffer(numbers)])


def _line_by_line(block: Block, rows: np.ndarray, intake: Intake) -> pa.Table:
    """Look closer at some lines: keep those that are events, set the others aside."""
    lines = block.data.split(b"\n")
    good: list[Event] = []
    numbers: list[int] = []
    for row in rows.tolist():
        line, number = lines[row], block.first + row
        if not line.strip():
            continue
        try:
            good.append(parse_event(line))
            numbers.append(number)
        except RecordError as error:
            intake.put_aside(number, error.message, hint=error.hint, excerpt=line[:400])
    table = pa.Table.from_batches([to_batch(good)]).drop_columns(sorted(OWN_FIELDS))
    return table.append_column(LINE, pa.array(numbers, pa.int64()))


def _recognise(head: Head) -> bool:
    line = head.lines[0] if head.lines else b""
    return line.startswith(b"{") and all(f'"{key}"'.encode() in line for key in _REQUIRED)


SOURCE: Final = Source("tocsin", _recognise, _read)
