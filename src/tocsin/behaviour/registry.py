"""Which row an entity has: an open-addressed index from its keyed hash, and room that grows."""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import F_FIRST, F_HOUR, F_TIMED, Entities
from tocsin.behaviour.numeric import inlined, kernel

__all__ = ["BUMPED", "KNOWN", "USED", "VACANT", "admit", "find_slots", "grown", "rebuild_index"]

USED, BUMPED, VACANT, KNOWN = 0, 1, 2, 3
"""Places in `Entities.meta`: slots ever given out, cells given out, slots given back, entities known in all."""


@inlined
def _seek(keys: np.ndarray, key: np.uint64) -> int:
    mask = np.uint64(len(keys) - 1)
    i = (key >> np.uint64(16)) & mask
    while keys[i] != key and keys[i] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    return np.int64(i)


@kernel
def find_slots(ents: Entities, subjects: np.ndarray, slots: np.ndarray) -> int:
    """Fill `slots` with the row of each subject, -1 where it has none; the number of those."""
    missing = 0
    for i in range(len(subjects)):
        place = _seek(ents.index_keys, subjects[i])
        slots[i] = ents.index_slots[place] if ents.index_keys[place] != 0 else -1
        missing += slots[i] < 0
    return missing


@kernel
def admit(ents: Entities, vacant: np.ndarray, subjects: np.ndarray, hours: np.ndarray, slots: np.ndarray) -> None:
    """Give a row to each subject whose slot is -1; the caller made sure there is room."""
    for i in range(len(subjects)):
        if slots[i] >= 0:
            continue
        place = _seek(ents.index_keys, subjects[i])
        if ents.index_keys[place] == 0:
            if ents.meta[VACANT] > 0:
                ents.meta[VACANT] -= 1
                slot = np.int64(vacant[ents.meta[VACANT]])
            else:
                slot = ents.meta[USED]
                ents.meta[USED] += 1
            ents.index_keys[place] = subjects[i]
            ents.index_slots[place] = slot
            ents.keys[slot] = subjects[i]
            ents.facts[slot, F_HOUR] = hours[i]
            ents.facts[slot, F_FIRST] = hours[i]
            ents.facts[slot, F_TIMED] = -1
        slots[i] = ents.index_slots[place]


@kernel
def rebuild_index(keys: np.ndarray, used: int, index_keys: np.ndarray, index_slots: np.ndarray) -> None:
    """Index anew every row in use."""
    index_keys[:] = 0
    index_slots[:] = -1
    for slot in range(used):
        if keys[slot] != 0:
            place = _seek(index_keys, keys[slot])
            index_keys[place] = keys[slot]
            index_slots[place] = slot


def grown(array: np.ndarray, length: int) -> np.ndarray:
    """A copy with room for `length`, zeros beyond what it held."""
    larger = np.zeros((length, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
