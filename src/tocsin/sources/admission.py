"""The door: columns from any source are made whole, checked, and what cannot be an event is set aside.

Every source passes here, so the rules hold for all of them: a time with sense in it, a subject written
`type:id`, a known kind and outcome, finite numbers, and strings of bounded length.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.event import EVENT_SCHEMA, KINDS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.intake import Intake

__all__ = ["MAX_ID_CHARS", "MAX_TEXT_CHARS", "TIE", "admit", "tie_of"]

TIE: Final = "_tie"
"""Order among events of one time: file order, then line. Stands in for both until events leave in order."""
MAX_ID_CHARS: Final = 512
MAX_TEXT_CHARS: Final = 2048
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
TOLERANCE: Final = timedelta(hours=24)
_LINE_BITS: Final = 40
_REQUIRED: Final = ("time", "kind", "subject", "action")
_IDENTIFIERS: Final = ("subject", "counterparty", "uid")
_CLOSED: Final = tuple(
    (name, known, pa.array([*known, None], pa.string())) for name, known in (("kind", KINDS), ("outcome", OUTCOMES))
)
"""Fields with a closed list of values."""
_COUNTS: Final = ("bytes_in", "bytes_out", "count")


def tie_of(ordinal: int, lines: np.ndarray) -> np.ndarray:
    """Join file order and line into one int64 that sorts like the pair."""
    return (np.int64(ordinal) << _LINE_BITS) + lines.astype(np.int64)


def split_tie(tie: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take `tie_of` apart again: file order and line."""
    return tie >> _LINE_BITS, tie & ((1 << _LINE_BITS) - 1)


def admit(table: pa.Table, intake: Intake) -> pa.Table:
    """Return the events of `table` that are usable, with `_tie` in place of file and line.

    `table` holds any of the event's columns and `source_line`. Columns without a value are left out.
    """
    table = table.combine_chunks()
    bad = np.zeros(len(table), bool)
    for mask, reason in _faults(table, intake.now):
        fresh = mask & ~bad
        if fresh.any():
            _set_aside(table, np.flatnonzero(fresh), reason, intake)
            bad |= fresh
    if bad.any():
        table = table.filter(pa.array(~bad))
    intake.report.read += len(table)
    return _shaped(table, intake.ordinal)


def _faults(table: pa.Table, now: datetime) -> Iterator[tuple[np.ndarray, str]]:
    for name in _REQUIRED:
        if name not in table.column_names:
            yield np.ones(len(table), bool), f"no `{name}`"
        elif table[name].null_count:
            yield _numpy(pc.is_null(table[name])), f"no `{name}`"
    if not set(_REQUIRED) <= set(table.column_names):
        return
    time = table["time"].cast(pa.timestamp("us", tz="UTC"))
    yield _true(pc.greater(time, pa.scalar(now + TOLERANCE, time.type))), "its time lies more than 24 hours ahead"
    yield _true(pc.less(time, pa.scalar(EARLIEST, time.type))), "its time lies before 1990"
    yield from _text_faults(table)
    yield from _number_faults(table)


def _text_faults(table: pa.Table) -> Iterator[tuple[np.ndarray, str]]:
    for name, known, known_set in _CLOSED:
        if name in table.column_names:
            yield ~_numpy(pc.is_in(table[name], value_set=known_set)), f"`{name}` is none of {', '.join(known)}"
    yield _true(pc.equal(pc.binary_length(table["action"]), 0)), "no `action`"
    for name in ("subject", "counterparty"):
        if name in table.column_names:
            colon = pc.find_substring(table[name], ":")
            last = pc.equal(pc.add(colon, 1), pc.binary_length(table[name]))
            yield _true(pc.or_(pc.less(colon, 1), last)), f"`{name}` is not written `type:id`"
    for name in _IDENTIFIERS:
        if name in table.column_names:
            yield (
                _true(pc.greater(pc.binary_length(table[name]), MAX_ID_CHARS)),
                f"`{name}` is over {MAX_ID_CHARS} bytes",
            )


def _number_faults(table: pa.Table) -> Iterator[tuple[np.ndarray, str]]:
    for name in _COUNTS:
        if name in table.column_names:
            yield _true(pc.less(table[name], 0)), f"`{name}` is negative"
    if "amount" in table.column_names:
        yield ~_true(pc.fill_null(pc.is_finite(table["amount"]), True)), "`amount` is not a finite number"


def _set_aside(table: pa.Table, rows: np.ndarray, reason: str, intake: Intake) -> None:
    shown = [c for c in ("time", "subject", "action") if c in table.column_names]
    for row, line in zip(rows.tolist(), table["source_line"].take(pa.array(rows)).to_pylist(), strict=True):
        excerpt = " ".join(str(table[c][row].as_py())[:80] for c in shown)
        intake.put_aside(line, reason, excerpt=excerpt)


def _shaped(table: pa.Table, ordinal: int) -> pa.Table:
    """Cast to the event's types, cut long text, drop empty columns, add the tie."""
    columns = {}
    for field in EVENT_SCHEMA:
        if field.name not in table.column_names or field.name in {"source_file", "source_line"}:
            continue
        column = table[field.name]
        if column.null_count < len(column):
            column = column.cast(field.type)
            columns[field.name] = _cut(column) if pa.types.is_string(field.type) else column
    lines = table["source_line"].to_numpy()
    return pa.table({**columns, TIE: pa.array(tie_of(ordinal, lines))})


def _cut(column: pa.ChunkedArray) -> pa.ChunkedArray:
    longest = pc.max(pc.binary_length(column)).as_py()
    if longest is None or longest <= MAX_TEXT_CHARS:
        return column
    return pc.utf8_slice_codeunits(column, 0, MAX_TEXT_CHARS)


def _numpy(mask: pa.ChunkedArray) -> np.ndarray:
    known: np.ndarray = mask.to_numpy()
    return known


def _true(mask: pa.ChunkedArray) -> np.ndarray:
    """Where the mask holds; unknown is not a fault."""
    holds: np.ndarray = pc.fill_null(mask, False).to_numpy()
    return holds
