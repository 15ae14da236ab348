"""Idle entities leave memory and come back as they were: eviction never changes a score.

What leaves is chosen by how long ago an entity was seen; what is written is the whole of its profile, so that it does
not matter who left or when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.behaviour.cells import give_block, put_cell, take_block
from tocsin.behaviour.layout import F_HOUR, F_LOG_SIZE, F_OFFSET, F_USED, SMALLEST_LOG, Entities
from tocsin.behaviour.numeric import kernel
from tocsin.behaviour.registry import USED, VACANT, rebuild_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.behaviour.budget import Desk
    from tocsin.behaviour.runs import Frozen

__all__ = ["freeze", "idle", "places_needed", "thaw", "vacated"]

_NO_ALERT: Final = -1


@kernel
def _copy_cells(ents: Entities, slots: np.ndarray, offsets: np.ndarray, cells: np.ndarray) -> None:
    for j in range(len(slots)):
        slot, to = slots[j], offsets[j]
        log = ents.facts[slot, F_LOG_SIZE]
        if log == 0:
            continue
        base = np.int64(ents.facts[slot, F_OFFSET]) << SMALLEST_LOG
        for place in range(base, base + (1 << log)):
            if ents.cells[place, 0] != 0:
                cells[to, 0] = ents.cells[place, 0]
                cells[to, 1] = ents.cells[place, 1]
                to += 1


@kernel
def _empty(ents: Entities, slots: np.ndarray) -> None:
    for j in range(len(slots)):
        slot = slots[j]
        if ents.facts[slot, F_LOG_SIZE] > 0:
            give_block(ents.cells, ents.free, ents.facts[slot, F_OFFSET], ents.facts[slot, F_LOG_SIZE])
        for k in range(ents.rows.shape[1]):
            ents.rows[slot, k] = 0.0
        for k in range(ents.facts.shape[1]):
            ents.facts[slot, k] = 0
        ents.keys[slot] = 0
        ents.top[slot] = 0


@kernel
def _fill_cells(ents: Entities, slots: np.ndarray, offsets: np.ndarray, cells: np.ndarray) -> None:
    for j in range(len(slots)):
        slot = slots[j]
        log = ents.facts[slot, F_LOG_SIZE]
        if log == 0:
            continue
        ents.facts[slot, F_OFFSET] = take_block(ents.cells, ents.free, ents.meta, log)
        base = np.int64(ents.facts[slot, F_OFFSET]) << SMALLEST_LOG
        for k in range(offsets[j], offsets[j + 1]):
            put_cell(ents.cells, base, log, cells[k, 0], cells[k, 1])


def idle(ents: Entities, here: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Rows of the `count` entities seen longest ago, or fewer; never those in `here`."""
    used = int(ents.meta[USED])
    free = ents.keys[:used] != 0
    free[here] = False
    slots = np.flatnonzero(free)
    if count >= len(slots):
        return slots
    return slots[np.argpartition(ents.facts[slots, F_HOUR], count)[:count]]


def freeze(ents: Entities, desk: Desk, slots: NDArray[np.int64]) -> Frozen:
    """Take entities out of memory; their rows and blocks are empty afterwards, and the index is without them."""
    facts = ents.facts[slots]
    offsets = np.concatenate([[0], np.cumsum(np.where(facts[:, F_LOG_SIZE] > 0, facts[:, F_USED], 0))])
    frozen = {
        "keys": ents.keys[slots],
        "rows": ents.rows[slots],
        "facts": facts,
        "top": ents.top[slots],
        "desk": desk.entities[slots],
        "alerts": desk.alert_of[slots],
        "offsets": offsets,
        "cells": np.zeros((int(offsets[-1]), 2), np.uint64),
    }
    _copy_cells(ents, slots, offsets, frozen["cells"])
    _empty(ents, slots)
    desk.entities[slots] = 0.0
    desk.alert_of[slots] = _NO_ALERT
    rebuild_index(ents.keys, int(ents.meta[USED]), ents.index_keys, ents.index_slots)
    return frozen


def vacated(ents: Entities, vacant: NDArray[np.int32], slots: NDArray[np.int64]) -> NDArray[np.int32]:
    """Add rows to those that may be given out again."""
    stack = np.concatenate([vacant[: int(ents.meta[VACANT])], slots.astype(np.int32)])
    ents.meta[VACANT] = len(stack)
    return stack


def places_needed(frozen: Frozen) -> int:
    """Cells that the blocks of these profiles take."""
    logs = frozen["facts"][:, F_LOG_SIZE].astype(np.int64)
    return int(np.where(logs > 0, 1 << logs, 0).sum())


def thaw(ents: Entities, desk: Desk, slots: NDArray[np.int32], frozen: Frozen) -> None:
    """Put profiles back into the rows just given to them; the caller made sure there is room for their cells."""
    ents.rows[slots] = frozen["rows"]
    ents.facts[slots] = frozen["facts"]
    ents.top[slots] = frozen["top"]
    desk.entities[slots] = frozen["desk"]
    desk.alert_of[slots] = frozen["alerts"]
    _fill_cells(ents, slots.astype(np.int64), frozen["offsets"].astype(np.int64), frozen["cells"])
