"""Columns of numbers and truth values as tables write them; what is none becomes null."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["to_bool", "to_float", "to_int"]

_NUMBER: Final = r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?$"
_TRUE: Final = pa.array(["true", "1", "yes", "y", "t"])
_FALSE: Final = pa.array(["false", "0", "no", "n", "f"])
_LARGEST_WHOLE: Final = float(1 << 62)


def to_float(column: pa.Array) -> pa.Array:
    """Return the column as doubles; null where it holds no number."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column.cast(pa.float64(), safe=False)
    trimmed = pc.utf8_trim_whitespace(column)
    try:
        return trimmed.cast(pa.float64())
    except pa.ArrowInvalid:
        fits = pc.match_substring_regex(trimmed, _NUMBER)
        return pc.if_else(fits, trimmed, None).cast(pa.float64())


def to_int(column: pa.Array) -> pa.Array:
    """Return the column as whole numbers, rounded; null where it holds no number."""
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    values = pc.round(to_float(column))
    within = pc.and_(pc.less(values, _LARGEST_WHOLE), pc.greater(values, -_LARGEST_WHOLE))
    return pc.if_else(within, values, None).cast(pa.int64())


def to_bool(column: pa.Array) -> pa.Array:
    """Return the column as truth values: true, 1, yes; false, 0, no; null for the rest."""
    if pa.types.is_boolean(column.type):
        return column
    text = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
    return pc.if_else(pc.is_in(text, _TRUE), True, pc.if_else(pc.is_in(text, _FALSE), False, None))
