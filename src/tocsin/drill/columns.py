"""Events while they are being made up: one NumPy column a field, codes in place of text."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Columns", "concatenate", "make_columns", "mix", "pick", "take"]

Array = NDArray[Any]
Columns = dict[str, Array]
"""Equal-length arrays by name; the names are those of `_TYPES`."""

_TYPES: Final[dict[str, tuple[type[np.generic], int]]] = {
    "time": (np.int64, 0),  # microseconds since 1970, UTC
    "subject": (np.int32, 0),
    "action": (np.int16, 0),
    "resource": (np.int64, -1),
    "address": (np.int64, 0),
    "device": (np.int32, -1),
    "agent": (np.int32, 0),
    "failed": (np.bool_, 0),
    "bytes_in": (np.int64, -1),
    "bytes_out": (np.int64, -1),
    "count": (np.int64, -1),
    "session": (np.int64, -1),
    "story": (np.int16, -1),
    "role": (np.int8, 0),
}


def make_columns(size: int, **given: Array | float) -> Columns:
    """Fill every column for `size` events; what is not given is absent."""
    unknown = given.keys() - _TYPES.keys()
    if unknown:
        raise KeyError(f"no such column: {sorted(unknown)}")
    columns = {}
    for name, (kind, absent) in _TYPES.items():
        value = np.asarray(given.get(name, absent)).astype(kind)
        columns[name] = np.broadcast_to(value, (size,))
    return columns


def concatenate(parts: list[Columns]) -> Columns:
    """Stack parts in the order given."""
    parts = parts or [make_columns(0)]
    return {name: np.concatenate([part[name] for part in parts]) for name in _TYPES}


def take(columns: Columns, rows: Array | slice) -> Columns:
    """Keep the given rows (a mask or indices) of every column."""
    return {name: values[rows] for name, values in columns.items()}


def mix(*parts: Array | int) -> NDArray[np.int64]:
    """Hash integers elementwise to 62 evenly spread bits: a choice that needs no memory.

    The finaliser is splitmix64's (Steele, Lea and Flood 2014, figure 17).
    """
    state: Any = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        for part in parts:
            z = (np.asarray(part, np.int64).astype(np.uint64) + state) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = z ^ (z >> np.uint64(31))
    return (np.asarray(state) >> np.uint64(2)).astype(np.int64)


def pick(rng: np.random.Generator, cumulative: Array) -> NDArray[np.int64]:
    """Draw one index from each row of cumulative weights (rows end at 1)."""
    return np.asarray((rng.random((len(cumulative), 1)) > cumulative[:, :-1]).sum(axis=1), np.int64)
