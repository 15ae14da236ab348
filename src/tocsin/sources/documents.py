"""JSON logs as they are delivered: one document with a list inside, a bare list, or a record a line.

A document that ends early (a truncated download) gives up every record that stands whole in it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.errors import RecordError
from tocsin.sources.lines import line_blocks, plain_text, to_utf8
from tocsin.sources.tables import from_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["in_tables", "json_records"]

MAX_DOCUMENT_BYTES: Final = 256 << 20
_ROWS: Final = 16_384
_PEEK: Final = 1 << 16
_BROKEN: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
Record = tuple[int, bytes | msgspec.Raw]


def json_records(stream: Stream, intake: Intake, envelopes: Sequence[str]) -> Iterator[Record]:
    """Yield each record's place, counted from 1, and its JSON.

    `envelopes` are the keys under which a document may hold its list. One record a line keeps line numbers.
    """
    if _one_a_line(stream.peek(_PEEK)):
        for block in line_blocks(stream, intake):
            for number, line in enumerate(block.data.split(b"\n")[: block.count], block.first):
                if line.strip():
                    yield from _expanded(number, line, envelopes)
        return
    document = b""
    for chunk in plain_text(stream):
        document += chunk
        if len(document) > MAX_DOCUMENT_BYTES:
            hint = "deliver it as one record a line, or in smaller files"
            intake.put_aside(0, f"one JSON document of more than {MAX_DOCUMENT_BYTES:,} bytes", hint=hint)
            break
    yield from _listed(to_utf8(document), intake, envelopes)


def in_tables(
    records: Iterable[Record], intake: Intake, names: Sequence[str], parse: Callable[[Any], tuple[Any, ...]]
) -> Iterator[pa.Table]:
    """Turn records into partial event tables; `parse` gives a tuple in the order of `names`."""
    rows: list[tuple[Any, ...]] = []
    lines: list[int] = []
    for number, raw in records:
        try:
            rows.append(parse(raw))
        except (RecordError, *_BROKEN) as error:
            intake.put_aside(number, str(error), hint=getattr(error, "hint", ""), excerpt=bytes(raw)[:400])
            continue
        lines.append(number)
        if len(rows) >= _ROWS:
            yield from_rows(names, rows, lines)
            rows, lines = [], []
    yield from_rows(names, rows, lines)


def _one_a_line(head: bytes) -> bool:
    """Whether the first line is a whole JSON object and more may follow."""
    first, newline, _ = head.strip().partition(b"\n")
    if not first.startswith(b"{") or not newline:
        return False
    try:
        msgspec.json.decode(to_utf8(first))
    except _BROKEN:
        return False
    return True


def _expanded(number: int, line: bytes, envelopes: Sequence[str]) -> Iterator[Record]:
    """Yield the record of a line; a line that is itself an envelope gives all its records that line's number."""
    if any(line.startswith(f'{{"{name}"'.encode()) for name in envelopes):
        try:
            inside = _inside(line, envelopes)
        except _BROKEN:
            inside = None
        if inside is not None:
            yield from ((number, raw) for raw in inside)
            return
    yield number, line


def _listed(document: bytes, intake: Intake, envelopes: Sequence[str]) -> Iterator[Record]:
    try:
        inside = _inside(document, envelopes)
    except _BROKEN as error:
        yield from _salvaged(document.decode("utf-8", "replace"), intake, envelopes, str(error))
        return
    yield from enumerate(inside if inside is not None else [msgspec.Raw(document)], 1)


def _inside(document: bytes, envelopes: Sequence[str]) -> list[msgspec.Raw] | None:
    if document.lstrip().startswith(b"["):
        return msgspec.json.decode(document, type=list[msgspec.Raw])
    parts = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    name = next((n for n in envelopes if n in parts), None)
    return None if name is None else msgspec.json.decode(parts[name], type=list[msgspec.Raw])


def _salvaged(text: str, intake: Intake, envelopes: Sequence[str], reason: str) -> Iterator[Record]:
    """Take whole records from a broken document until the break."""
    decode = json.JSONDecoder().raw_decode
    start = min((at for name in envelopes if (at := text.find(f'"{name}"')) >= 0), default=0)
    position, number = text.find("[", start) + 1, 0
    while position > 0:
        number += 1
        position = _next_record(text, position)
        try:
            _, end = decode(text, position)
        except (ValueError, RecursionError):
            break
        yield number, text[position:end].encode()
        position = end
    intake.put_aside(max(number, 1), f"the document breaks off here: {reason}", excerpt=text[position : position + 200])


def _next_record(text: str, position: int) -> int:
    while position < len(text) and text[position] in ", \t\r\n":
        position += 1
    return position
