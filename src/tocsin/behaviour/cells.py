"""An entity's own table of values: a block of cells that grows, fourfold first, then twofold, up to a bound.

Blocks are powers of two of the smallest one; freed blocks are chained by size. When a block may grow no more,
values on probation from earlier hours go first, then those seen least: a rule that looks only at the entity
itself, so neither memory nor batch size can change a score.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import (
    CELL_HOUR,
    CELL_N,
    CONDEMNED_BELOW,
    F_LOG_SIZE,
    F_OFFSET,
    F_USED,
    SMALLEST_LOG,
)
from tocsin.behaviour.numeric import inlined, kernel

__all__ = ["find_cell", "give_block", "home_cell", "insert_cell", "put_cell", "take_block"]

_FULL_NUMERATOR = 7
_FULL_DENOMINATOR = 8


@inlined
def home_cell(key: np.uint64, mask: np.uint64) -> int:
    """Where in its block a key stands unless others stand there already."""
    return np.int64((key >> np.uint64(20)) & mask)


@inlined
def find_cell(cells: np.ndarray, facts: np.ndarray, slot: int, key: np.uint64) -> int:
    """Place of `key` in the block of `slot`, or -1."""
    log = facts[slot, F_LOG_SIZE]
    if log == 0:
        return -1
    mask = np.uint64((1 << log) - 1)
    base = np.int64(facts[slot, F_OFFSET]) << SMALLEST_LOG
    i = (key >> np.uint64(20)) & mask
    while True:
        place = base + np.int64(i)
        held = cells[place, 0]
        if held == key:
            return place
        if held == np.uint64(0):
            return -1
        i = (i + np.uint64(1)) & mask


@kernel
def take_block(cells: np.ndarray, free: np.ndarray, meta: np.ndarray, log: int) -> int:
    """Offset (in smallest blocks) of an empty block of `2**log` cells; the caller made sure there is room."""
    offset = free[log]
    if offset >= 0:
        place = np.int64(offset) << SMALLEST_LOG
        free[log] = np.int64(cells[place, 1])
        cells[place, 1] = np.uint64(0)
        return offset
    offset = meta[1] >> SMALLEST_LOG
    meta[1] += 1 << log
    return offset


@kernel
def give_block(cells: np.ndarray, free: np.ndarray, offset: int, log: int) -> None:
    """Return a block: emptied, and chained to the others of its size."""
    place = np.int64(offset) << SMALLEST_LOG
    for i in range(place, place + (1 << log)):
        cells[i, 0] = np.uint64(0)
        cells[i, 1] = np.uint64(0)
    cells[place, 1] = np.uint64(free[log])
    free[log] = offset


@inlined
def put_cell(cells: np.ndarray, base: int, log: int, key: np.uint64, value: np.uint64) -> int:
    """Put a key that is not there yet into a block that has room."""
    mask = np.uint64((1 << log) - 1)
    i = (key >> np.uint64(20)) & mask
    while cells[base + np.int64(i), 0] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    place = base + np.int64(i)
    cells[place, 0] = key
    cells[place, 1] = value
    return place


@kernel
def _rank(n: float, last: int, hour: int) -> float:
    """What a cell is worth: values on probation from earlier hours least, then those seen least, the oldest first.

    What a person has called bad is kept longest: it must not be washed out.
    """
    if n < CONDEMNED_BELOW:
        return 1e17 + last
    if n <= 0 and last < hour:
        return float(last)
    return 1e9 + max(n, np.float32(0)) * 1e9 + last


@kernel
def _bar(words: np.ndarray, hours: np.ndarray, base: int, size: int, hour: int, room: int) -> float:
    """Rank that at most `room` cells of a full block exceed, found by bisection."""
    low, high = -1.0, 1e18
    for _ in range(100):
        middle = 0.5 * (low + high)
        above = 0
        for place in range(base, base + size):
            above += _rank(words[place, CELL_N], hours[place, CELL_HOUR], hour) > middle
        if above > room:
            low = middle
        else:
            high = middle
    return high


@kernel
def _rebuild(
    cells: np.ndarray,
    words: np.ndarray,
    hours: np.ndarray,
    free: np.ndarray,
    meta: np.ndarray,
    facts: np.ndarray,
    slot: int,
    hour: int,
    max_log: int,
) -> None:
    """Move a full block to a larger one, or, at the bound, keep the better half of it."""
    old_log = facts[slot, F_LOG_SIZE]
    old_offset = np.int64(facts[slot, F_OFFSET])
    base = old_offset << SMALLEST_LOG
    size = 1 << old_log
    log = min(old_log + (2 if old_log == SMALLEST_LOG else 1), max_log)
    bar = _bar(words, hours, base, size, hour, size // 2) if log == old_log else -2.0
    offset = take_block(cells, free, meta, log)
    used = 0
    for place in range(base, base + size):
        if cells[place, 0] != np.uint64(0) and _rank(words[place, CELL_N], hours[place, CELL_HOUR], hour) > bar:
            put_cell(cells, offset << SMALLEST_LOG, log, cells[place, 0], cells[place, 1])
            used += 1
    give_block(cells, free, old_offset, old_log)
    facts[slot, F_OFFSET] = offset
    facts[slot, F_LOG_SIZE] = log
    facts[slot, F_USED] = used


@kernel
def insert_cell(
    cells: np.ndarray,
    words: np.ndarray,
    hours: np.ndarray,
    free: np.ndarray,
    meta: np.ndarray,
    facts: np.ndarray,
    slot: int,
    key: np.uint64,
    hour: int,
    max_log: int,
) -> int:
    """Make a cell for a value not held yet, seen in `hour`; `words` and `hours` view `cells` as f4 and i4."""
    log = facts[slot, F_LOG_SIZE]
    if log == 0:
        facts[slot, F_OFFSET] = take_block(cells, free, meta, SMALLEST_LOG)
        facts[slot, F_LOG_SIZE] = SMALLEST_LOG
        facts[slot, F_USED] = 0
    elif facts[slot, F_USED] * _FULL_DENOMINATOR >= (1 << log) * _FULL_NUMERATOR:
        _rebuild(cells, words, hours, free, meta, facts, slot, hour, max_log)
    base = np.int64(facts[slot, F_OFFSET]) << SMALLEST_LOG
    place = put_cell(cells, base, facts[slot, F_LOG_SIZE], key, np.uint64(0))
    words[place, CELL_N] = np.float32(0)
    hours[place, CELL_HOUR] = hour
    facts[slot, F_USED] += 1
    return place
