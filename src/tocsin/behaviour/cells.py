"""An entity's own table of values: a block of cells that grows by doubling and never passes a bound.

Blocks are powers of two of the smallest one; freed blocks are chained by size. When a block may grow no more,
values on probation from earlier hours go first, then those seen least: a rule that looks only at the entity
itself, so neither memory nor batch size can change a score.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tocsin.behaviour.layout import (
    CELL_HOUR,
    CELL_N,
    F_LOG_SIZE,
    F_OFFSET,
    F_USED,
    SMALLEST_LOG,
)

__all__ = ["find_cell", "give_block", "insert_cell", "take_block"]

_FULL_NUMERATOR = 3
_FULL_DENOMINATOR = 4


@njit(cache=True, inline="always")
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


@njit(cache=True)
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


@njit(cache=True)
def give_block(cells: np.ndarray, free: np.ndarray, offset: int, log: int) -> None:
    """Return a block: emptied, and chained to the others of its size."""
    place = np.int64(offset) << SMALLEST_LOG
    cells[place : place + (1 << log)] = np.uint64(0)
    cells[place, 1] = np.uint64(free[log])
    free[log] = offset


@njit(cache=True, inline="always")
def _put(cells: np.ndarray, base: int, log: int, key: np.uint64, value: np.uint64) -> int:
    mask = np.uint64((1 << log) - 1)
    i = (key >> np.uint64(20)) & mask
    while cells[base + np.int64(i), 0] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    place = base + np.int64(i)
    cells[place, 0] = key
    cells[place, 1] = value
    return place


@njit(cache=True)
def _kept(words: np.ndarray, n: np.ndarray, hours: np.ndarray, hour: int, room: int) -> np.ndarray:
    """Which of a full block's cells stay: never more than `room`; those seen most, the newest first among equals."""
    rank = np.empty(len(words), np.float64)
    for i in range(len(words)):
        on_probation = n[i] <= 0 and hours[i] < hour
        rank[i] = (0.0 if on_probation else 1e12 + max(n[i], np.float32(0)) * 1e6) + hours[i]
    return np.argsort(-rank, kind="mergesort")[:room]


@njit(cache=True)
def _rebuild(  # noqa: PLR0913 - one kernel's state, passed flat
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
    old_log = facts[slot, F_LOG_SIZE]
    old_offset = np.int64(facts[slot, F_OFFSET])
    base = old_offset << SMALLEST_LOG
    held = np.flatnonzero(cells[base : base + (1 << old_log), 0]) + base
    saved = cells[held].copy()
    log = old_log + 1
    if log > max_log:
        log = max_log
        order = _kept(saved, words[held, CELL_N].copy(), hours[held, CELL_HOUR].copy(), hour, (1 << log) // 2)
        saved = saved[order]
    give_block(cells, free, old_offset, old_log)
    offset = take_block(cells, free, meta, log)
    facts[slot, F_OFFSET] = offset
    facts[slot, F_LOG_SIZE] = log
    facts[slot, F_USED] = len(saved)
    for i in range(len(saved)):
        _put(cells, offset << SMALLEST_LOG, log, saved[i, 0], saved[i, 1])


@njit(cache=True)
def insert_cell(  # noqa: PLR0913 - one kernel's state, passed flat
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
    place = _put(cells, base, facts[slot, F_LOG_SIZE], key, np.uint64(0))
    words[place, CELL_N] = np.float32(0)
    hours[place, CELL_HOUR] = hour
    facts[slot, F_USED] += 1
    return place
