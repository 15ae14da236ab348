"""Any CSV, JSON lines or Parquet table, read through a mapping file.

CSV and JSON values arrive as text and are cast here, column by column; Parquet columns keep their types.
A row whose value does not fit is set aside with its line, a row that a filter drops is counted apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from tocsin.addresses import unpad
from tocsin.event import EVENT_SCHEMA
from tocsin.sources.clock import to_time
from tocsin.sources.lines import line_blocks, record_blocks
from tocsin.sources.mapping import ColumnRule, Filter, Mapping, Value, placeholders
from tocsin.sources.numbers import to_bool, to_float, to_int
from tocsin.sources.tables import LINE, csv_header, read_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tocsin.sources.finding import Found
    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream
    from tocsin.sources.source import Head

__all__ = ["apply", "reader"]

_ROWS: Final = 65_536
_PARQUET: Final = b"PAR1"
_TEXT: Final = pa.string()


def reader(mapping: Mapping, head: Head, found: Found, name: str | None) -> tuple[str, Any] | str:
    """Return the format and the way to read an input through `mapping`; a string says why it does not fit."""
    kind = _kind(head)
    wanted = name or mapping.input.format
    if kind is None or (wanted is not None and wanted != kind):
        return f"not the {wanted or 'table'} the mapping describes"
    if kind == "parquet":
        if found.member is not None:
            return "a Parquet file inside a zip archive cannot be read: unpack it first"
        try:
            names = pyarrow.parquet.read_schema(found.path).names
        except (pa.ArrowException, OSError) as error:
            return f"not a readable Parquet file: {str(error)[:120].lower()}"
        return _lacking(mapping, names) or ("parquet", lambda _, intake: _parquet(found.path, mapping, intake))
    if kind == "jsonl":
        return _lacking(mapping, _json_names(head)) or ("jsonl", lambda stream, intake: _jsonl(stream, mapping, intake))
    header = csv_header(head.lines[0] if head.lines else b"", mapping.input.delimiter)
    if mapping.input.header:
        refusal = _lacking(mapping, header)
    else:
        refusal = _lacking(mapping, list(mapping.input.columns)) or _narrow(header, mapping)
    return refusal or ("csv", lambda stream, intake: _csv(stream, mapping, intake))


def _kind(head: Head) -> str | None:
    if head.raw.startswith(_PARQUET):
        return "parquet"
    if head.binary:
        return None
    return "jsonl" if head.text.startswith(b"{") else "csv"


def _lacking(mapping: Mapping, names: list[str]) -> str | None:
    missing = [name for name in mapping.needed if name not in names]
    return f"it has no column `{missing[0]}`, which the mapping uses" if missing else None


def _narrow(first: list[str], mapping: Mapping) -> str | None:
    wide = len(mapping.input.columns)
    return None if len(first) == wide else f"its first row has {len(first)} fields where the mapping names {wide}"


def _json_names(head: Head) -> list[str]:
    try:
        record = msgspec.json.decode(head.lines[0])
    except (msgspec.DecodeError, IndexError):
        return []
    return list(_flattened(record)) if isinstance(record, dict) else []


def _flattened(record: dict[str, Any], prefix: str = "", depth: int = 4) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and depth:
            flat |= _flattened(value, f"{prefix}{name}.", depth - 1)
        else:
            flat[prefix + name] = value
    return flat


def _csv(stream: Stream, mapping: Mapping, intake: Intake) -> Iterator[pa.Table]:
    columns = list(mapping.input.columns)
    offset = int(mapping.input.header)
    for block in record_blocks(stream, intake, offset=offset):
        if mapping.input.header and block.first == 1:
            columns = csv_header(block.data, mapping.input.delimiter)
        table = read_csv(block, columns, mapping.needed, intake, delimiter=mapping.input.delimiter, offset=offset)
        if block.first == 1 and offset:
            table = table.filter(pc.greater(table[LINE], 0))
        yield apply(table, mapping, intake)


def _jsonl(stream: Stream, mapping: Mapping, intake: Intake) -> Iterator[pa.Table]:
    for block in line_blocks(stream, intake):
        rows: list[dict[str, Any]] = []
        lines: list[int] = []
        for number, line in enumerate(block.data.split(b"\n")[: block.count], block.first):
            if not line.strip():
                continue
            try:
                record = msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, RecursionError) as error:
                intake.put_aside(number, str(error).lower(), excerpt=line[:400])
                continue
            rows.append(_flattened(record))
            lines.append(number)
        columns = {n: pa.array([_as_text(row.get(n)) for row in rows], _TEXT) for n in mapping.needed}
        yield apply(pa.table({**columns, LINE: pa.array(lines, pa.int64())}), mapping, intake)


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON held
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _parquet(path: str, mapping: Mapping, intake: Intake) -> Iterator[pa.Table]:
    try:
        file = pyarrow.parquet.ParquetFile(path)
        first = 1
        for batch in file.iter_batches(_ROWS, columns=mapping.needed, use_threads=False):
            lines = pa.array(np.arange(first, first + len(batch)))
            first += len(batch)
            yield apply(pa.Table.from_batches([batch]).append_column(LINE, lines), mapping, intake)
    except (pa.ArrowException, OSError) as error:
        intake.put_aside(0, f"the Parquet file is damaged: {str(error)[:200].lower()}")


def apply(table: pa.Table, mapping: Mapping, intake: Intake) -> pa.Table:
    """Turn the mapped columns of a table into event columns."""
    for name, rule in mapping.columns.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, _prepared(table[name], rule))
    for wanted in mapping.filter:
        kept = table.filter(pc.fill_null(_kept(table[wanted.column], wanted), False))
        intake.leave_out(len(table) - len(kept))
        table = kept
    table = table.combine_chunks()
    columns = {name: _column(table, name) for name in mapping.needed}
    made = {"time": to_time(columns[mapping.time.column], mapping.time)}
    faults = [
        (_unreadable(columns[mapping.time.column], made["time"]), f"`{mapping.time.column}` is no time as described")
    ]
    for field, template in mapping.templates.items():
        made[field], fault = _field(field, template, columns, mapping, len(table))
        if fault is not None:
            faults.append(fault)
    made[LINE] = _column(table, LINE)
    return _without_faults(pa.table(made), faults, intake)


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _prepared(column: pa.ChunkedArray, rule: ColumnRule) -> pa.ChunkedArray:
    column = column.cast(_TEXT)
    if rule.strip:
        column = pc.utf8_trim_whitespace(column)
    if rule.lower:
        column = pc.utf8_lower(column)
    return _each(column, unpad) if rule.address else column


def _each(column: pa.ChunkedArray, change: Callable[[str], str]) -> pa.ChunkedArray:
    encoded = column.combine_chunks().dictionary_encode()
    changed = pa.array([change(v) for v in encoded.dictionary.to_pylist()], _TEXT)
    return pa.chunked_array([changed.take(encoded.indices)])


def _kept(column: pa.ChunkedArray, rule: Filter) -> pa.ChunkedArray:
    text = column.cast(_TEXT)
    kept = pc.is_valid(text)
    if rule.one_of:
        kept = pc.and_(kept, pc.is_in(text, pa.array(rule.one_of)))
    if rule.none_of:
        kept = pc.and_(kept, pc.invert(pc.is_in(text, pa.array(rule.none_of))))
    if rule.at_least is not None or rule.at_most is not None:
        number = to_float(column.combine_chunks())
        low, high = rule.at_least, rule.at_most
        kept = kept if low is None else pc.and_(kept, pc.greater_equal(number, low))
        kept = kept if high is None else pc.and_(kept, pc.less_equal(number, high))
    return kept


def _field(
    field: str,
    template: Value,
    columns: dict[str, pa.Array],
    mapping: Mapping,
    rows: int,
) -> tuple[pa.Array, tuple[np.ndarray, str] | None]:
    target = EVENT_SCHEMA.field(field).type
    names = placeholders(template)
    if not names:
        return pa.repeat(pa.scalar(template, target), rows), None
    if pa.types.is_string(target):
        text = _filled(str(template), columns)
        return (_translated(text, mapping.values[field]) if field in mapping.values else text), None
    column = columns[names[0]]
    number = to_bool(column) if pa.types.is_boolean(target) else to_float(column)
    if field in mapping.units:
        number = pc.multiply(number, mapping.units[field])
    fault = _unreadable(column, number), f"`{names[0]}` does not fit `{field}`"
    return (to_int(number) if pa.types.is_integer(target) else number), fault


def _filled(template: str, columns: dict[str, pa.Array]) -> pa.Array:
    """Put the columns' values into a template; empty where one of them is."""
    parts: list[Any] = []
    rest = template
    for name in placeholders(template):
        before, _, rest = rest.partition(f"{{{name}}}")
        value = columns[name].cast(_TEXT)
        parts += [before, pc.if_else(pc.equal(value, ""), None, value)]
    return pc.binary_join_element_wise(*parts, rest, "", null_handling="emit_null")


def _translated(column: pa.Array, table: dict[str, str]) -> pa.Array:
    encoded = column.dictionary_encode()
    return pa.array([table.get(v) for v in encoded.dictionary.to_pylist()], _TEXT).take(encoded.indices)


def _unreadable(said: pa.Array, understood: pa.Array) -> np.ndarray:
    """Where the input says something and nothing came of it."""
    empty = pc.equal(pc.utf8_trim_whitespace(said), "") if pa.types.is_string(said.type) else pc.is_null(said)
    lost = pc.and_(pc.invert(pc.fill_null(empty, True)), pc.is_null(understood))
    mask: np.ndarray = lost.to_numpy(zero_copy_only=False)
    return mask


def _without_faults(table: pa.Table, faults: list[tuple[np.ndarray, str]], intake: Intake) -> pa.Table:
    bad = np.zeros(len(table), bool)
    for mask, reason in faults:
        for row in np.flatnonzero(mask & ~bad).tolist():
            intake.put_aside(table[LINE][row].as_py(), reason)
        bad |= mask
    return table.filter(pa.array(~bad)) if bad.any() else table
