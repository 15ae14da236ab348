"""The door: columns from any source are made whole, checked, and what cannot be an event is set aside.

Every source passes here, so the rules hold for all of them: a time with sense in it, a subject written
`type:id`, a known kind and outcome, finite numbers, and strings of bounded length.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.event import EVENT_SCHEMA, KINDS, OUTCOMES, OWN_FIELDS
from tocsin.sources.tables import whole_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.sources.intake import Intake

__all__ = ["MAX_ID_CHARS", "MAX_TEXT_CHARS", "TIE", "admit", "tie_of"]

TIE: Final = "_tie"
"""Order among events of one time: file order, then line. Stands in for both until events leave in order."""
MAX_ID_CHARS: Final = 512
MAX_TEXT_CHARS: Final = 2048
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LINE_BITS: Final = 40
_REQUIRED: Final = ("time", "kind", "subject", "action")
_IDENTIFIERS: Final = ("subject", "counterparty", "uid")
_CLOSED: Final = tuple(
    (name, known, pa.array([*known, None], pa.string())) for name, known in (("kind", KINDS), ("outcome", OUTCOMES))
)
"""Fields with a closed list of values."""
_COUNTS: Final = ("bytes_in", "bytes_out", "count")
Columns = dict[str, pa.Array]


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
    columns = whole_columns(table)
    bad = np.zeros(len(table), bool)
    for fault, reason in _faults(columns, len(table), intake.now, intake.ahead):
        if not fault.true_count:
            continue
        fresh = _numpy(fault) & ~bad
        if fresh.any():
            _set_aside(table, np.flatnonzero(fresh), reason, intake)
            bad |= fresh
    if bad.any():
        kept = pa.array(~bad)
        columns = {name: column.filter(kept) for name, column in columns.items()}
    intake.report.read += len(table) - int(bad.sum())
    return _shaped(columns, intake.ordinal)


def _faults(columns: Columns, rows: int, now: datetime, ahead: timedelta) -> Iterator[tuple[pa.BooleanArray, str]]:
    """Yield what may be wrong and where it is; null is not a fault."""
    for name in _REQUIRED:
        if name not in columns:
            yield pa.repeat(True, rows), f"no `{name}`"
        elif columns[name].null_count:
            yield pc.is_null(columns[name]), f"no `{name}`"
    if not set(_REQUIRED) <= set(columns):
        return
    micros = columns["time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    minutes = ahead // timedelta(minutes=1)
    span = f"{minutes // 60} hours" if minutes >= 60 else f"{minutes} minutes"  # noqa: PLR2004 - of an hour
    yield pc.greater(micros, _number(_micros(now + ahead))), f"its time lies more than {span} ahead"
    yield pc.less(micros, _number(_micros(EARLIEST))), "its time lies before 1990"
    yield from _text_faults(columns)
    yield from _number_faults(columns)


@lru_cache(64)
def _number(value: int) -> pa.Int64Scalar:
    """Return a constant; made afresh, each would have Arrow look for a package that is not there."""
    return pa.scalar(value, pa.int64())


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _text_faults(columns: Columns) -> Iterator[tuple[pa.BooleanArray, str]]:
    for name, known, known_set in _CLOSED:
        if name in columns:
            yield pc.invert(pc.is_in(columns[name], value_set=known_set)), f"`{name}` is none of {', '.join(known)}"
    yield pc.equal(pc.binary_length(columns["action"]), _number(0)), "no `action`"
    for name in ("subject", "counterparty"):
        if name in columns:
            colon = pc.find_substring(columns[name], ":")
            last = pc.equal(pc.add(colon, _number(1)), pc.binary_length(columns[name]))
            yield pc.or_(pc.less(colon, _number(1)), last), f"`{name}` is not written `type:id`"
    for name in _IDENTIFIERS:
        if name in columns:
            yield (
                pc.greater(pc.binary_length(columns[name]), _number(MAX_ID_CHARS)),
                f"`{name}` is over {MAX_ID_CHARS} bytes",
            )


def _number_faults(columns: Columns) -> Iterator[tuple[pa.BooleanArray, str]]:
    for name in _COUNTS:
        if name in columns:
            yield pc.less(columns[name], _number(0)), f"`{name}` is negative"
    if "amount" in columns:
        yield pc.invert(pc.is_finite(columns["amount"])), "`amount` is not a finite number"


def _set_aside(table: pa.Table, rows: np.ndarray, reason: str, intake: Intake) -> None:
    shown = [c for c in ("time", "subject", "action") if c in table.column_names]
    for row, line in zip(rows.tolist(), table["source_line"].take(pa.array(rows)).to_pylist(), strict=True):
        excerpt = " ".join(str(table[c][row].as_py())[:80] for c in shown)
        intake.put_aside(line, reason, excerpt=excerpt)


def _shaped(columns: Columns, ordinal: int) -> pa.Table:
    """Cast to the event's types, cut long text, drop empty columns, add the tie."""
    shaped = {}
    for field in EVENT_SCHEMA:
        column = columns.get(field.name)
        if column is None or field.name in OWN_FIELDS or column.null_count == len(column):
            continue
        column = column.cast(field.type)
        shaped[field.name] = _cut(column) if pa.types.is_string(field.type) else column
    return pa.table({**shaped, TIE: pa.array(tie_of(ordinal, columns["source_line"].to_numpy()))})


def _cut(column: pa.StringArray) -> pa.StringArray:
    longest = pc.max(pc.binary_length(column)).as_py()
    return column if longest <= MAX_TEXT_CHARS else pc.utf8_slice_codeunits(column, 0, MAX_TEXT_CHARS)


def _numpy(fault: pa.BooleanArray) -> np.ndarray:
    where: np.ndarray = pc.fill_null(fault, False).to_numpy(zero_copy_only=False)
    return where
