"""How surprising a value is for an entity, and how the entity comes to own it.

A cell's count tells where a value stands: positive, owned; zero, on probation since its first hour; negative,
in quarantine, less one for every day on which it came back.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.features import ACTION
from tocsin.behaviour.layout import (
    CELL_HOUR,
    CELL_N,
    CONDEMNED_BELOW,
    F_FLAGS,
    F_GROUP_NEXT,
    FLAG_FIXED_GROUP,
    GROUPS,
    R_K,
    R_N,
    R_TOP,
)
from tocsin.behaviour.numeric import inlined, kept_after

__all__ = ["cell_key", "group_of", "own_share", "quarantine", "teach_value"]

_DISCOUNT = 0.5
_CONCENTRATION = 1.0
# INVARIANT: even, so that a key keeps the lowest bit of its hash, which is one
_FEATURE_SALT = np.uint64(0xD6E8FEB86659FD92)


@inlined
def cell_key(value: np.uint64, feature: int) -> np.uint64:
    """Key of a value among an entity's cells: the same text under two features is two values."""
    return value ^ (np.uint64(feature) * _FEATURE_SALT)


@inlined
def own_share(row: np.ndarray, feature: int, seen: float) -> tuple[float, float]:
    """Own probability of a value seen for `seen` units, and the mass left to the parents (Teh 2006)."""
    n = float(row[R_N + feature])
    mass = _CONCENTRATION + _DISCOUNT * row[R_K + feature]
    return max(seen - _DISCOUNT, 0.0) / (n + _CONCENTRATION), mass / (n + _CONCENTRATION)


@inlined
def group_of(roots: np.ndarray, meta: np.ndarray, root: np.uint64) -> int:
    """Number of the group with this root, made when it is new; 0, everyone, when there is no room for more."""
    for g in range(1, meta[3] + 1):
        if roots[g] == root:
            return g
    if meta[3] >= GROUPS - 1:
        return 0
    meta[3] += 1
    roots[meta[3]] = root
    return meta[3]


@inlined
def teach_value(
    words: np.ndarray,
    hours: np.ndarray,
    place: int,
    row: np.ndarray,
    facts: np.ndarray,
    top: np.ndarray,
    slot: int,
    roots: np.ndarray,
    meta: np.ndarray,
    feature: int,
    key: np.uint64,
    hour: int,
    decays: np.ndarray,
) -> bool:
    """One unit for a value held already, at most one an hour; true when the parents should hear of it.

    Parents hear of a value when the entity establishes it (its second hour), and once an epoch from then on.
    """
    last = hours[place, CELL_HOUR]
    n = words[place, CELL_N]
    if hour <= last or n < 0:
        return False
    kept = n * np.float32(kept_after(decays, hour - last))
    hours[place, CELL_HOUR] = hour
    words[place, CELL_N] = kept + np.float32(1.0)
    row[R_N + feature] += np.float32(1.0)
    if kept < _DISCOUNT and n > 0:
        row[R_K + feature] += np.float32(1.0 - kept / _DISCOUNT)
    if feature == ACTION and words[place, CELL_N] > row[R_TOP]:
        row[R_TOP] = words[place, CELL_N]
        if top[slot] != key and not facts[slot, F_FLAGS] & FLAG_FIXED_GROUP:
            top[slot] = key
            facts[slot, F_GROUP_NEXT] = group_of(roots, meta, key)
    return n == 0 or hour // 720 > last // 720


@inlined
def quarantine(
    words: np.ndarray, hours: np.ndarray, place: int, row: np.ndarray, feature: int, hour: int, release_days: int
) -> None:
    """A value in quarantine came back; on enough distinct days it is let out, on probation."""
    n = words[place, CELL_N]
    if n >= 0 or hour // 24 <= hours[place, CELL_HOUR] // 24:
        return
    hours[place, CELL_HOUR] = hour
    words[place, CELL_N] = n - np.float32(1.0)
    if CONDEMNED_BELOW < words[place, CELL_N] <= -release_days:
        words[place, CELL_N] = np.float32(0.0)
        row[R_N + feature] += np.float32(1.0)
        row[R_K + feature] += np.float32(1.0)
