"""What groups and the whole population use: counts of entities, not of events, read as of the last closed hour.

A count moves when an entity establishes a value, so a flood from one entity weighs as much as one event. Counts
are integers in sixteenths and halve at every epoch; an entity that still uses a value says so once an epoch.
Integer sums do not depend on order, so shards merge without changing a score.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import HALF_HOURS, KINDS, WEEKDAYS, Parents
from tocsin.behaviour.numeric import inlined, kernel, pair_key, rehash

__all__ = ["EPOCH_H", "PARENT_SHIFT", "UNIT", "add_use", "backed_off", "close_hours", "epoch_of", "newer_uses"]

PARENT_SHIFT = 16
"""Which bits of a key choose its place."""
UNIT = 16
"""One entity, in sixteenths."""
EPOCH_H = 720
"""Counts halve every thirty days."""
_DISCOUNT = 0.5
_CONCENTRATION = 1.0
_CLOSED, _PENDING, _HOUR, _EPOCH = 0, 1, 2, 3


@inlined
def epoch_of(hour: int) -> int:
    """Which span of `EPOCH_H` hours this is."""
    return hour // EPOCH_H


@inlined
def _seek(keys: np.ndarray, key: np.uint64) -> int:
    """Place that holds `key`, or the empty one where it would go."""
    mask = np.uint64(len(keys) - 1)
    i = (key >> np.uint64(PARENT_SHIFT)) & mask
    while keys[i] != key and keys[i] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    return np.int64(i)


@inlined
def _settle(counts: np.ndarray, i: int, hour: int) -> None:
    """Fold what came before this hour into the closed count, then halve it for every epoch gone by."""
    if counts[i, _HOUR] < hour:
        counts[i, _CLOSED] += counts[i, _PENDING]
        counts[i, _PENDING] = 0
        counts[i, _HOUR] = hour
        gone = epoch_of(hour) - counts[i, _EPOCH]
        if gone > 0:
            counts[i, _CLOSED] >>= min(gone, 31)
            counts[i, _EPOCH] += gone


@inlined
def _read(keys: np.ndarray, counts: np.ndarray, key: np.uint64, hour: int) -> int:
    i = _seek(keys, key)
    if keys[i] == np.uint64(0):
        return 0
    _settle(counts, i, hour)
    return counts[i, _CLOSED]


@kernel
def backed_off(
    keys: np.ndarray,
    counts: np.ndarray,
    totals: np.ndarray,
    feature: int,
    value: np.uint64,
    group: int,
    hour: int,
) -> tuple[float, float]:
    """Probability that an entity of `group` uses `value`: group, then all, then what is new to everyone.

    Interpolated Pitman-Yor with entity counts (Teh 2006; Kneser and Ney 1995). The second is how many entities of the
    group use it; of all, where there is no group.
    """
    everyone = _read(keys, counts, pair_key(value, np.uint64(feature)), hour) / UNIT
    n = totals[0, feature, 0] / UNIT
    kinds = float(totals[0, feature, 2])
    p = (max(everyone - _DISCOUNT, 0.0) + (_CONCENTRATION + _DISCOUNT * kinds) / (kinds + 1.0)) / (n + _CONCENTRATION)
    users = everyone
    if group > 0:
        among = 0.0
        if everyone > 0:
            among = _read(keys, counts, pair_key(value, np.uint64(feature + 64 * group)), hour) / UNIT
        n = totals[group, feature, 0] / UNIT
        kinds = float(totals[group, feature, 2])
        p = (max(among - _DISCOUNT, 0.0) + (_CONCENTRATION + _DISCOUNT * kinds) * p) / (n + _CONCENTRATION)
        users = among
    return min(p, 1.0), users


@inlined
def _add(keys: np.ndarray, counts: np.ndarray, meta: np.ndarray, key: np.uint64, hour: int) -> bool:
    i = _seek(keys, key)
    fresh = keys[i] == np.uint64(0)
    if fresh:
        keys[i] = key
        counts[i, _CLOSED] = 0
        counts[i, _PENDING] = 0
        counts[i, _HOUR] = hour
        counts[i, _EPOCH] = epoch_of(hour)
        meta[0] += 1
    _settle(counts, i, hour)
    counts[i, _PENDING] += UNIT
    return fresh


@kernel
def add_use(
    keys: np.ndarray,
    counts: np.ndarray,
    totals: np.ndarray,
    meta: np.ndarray,
    feature: int,
    value: np.uint64,
    group: int,
    hour: int,
) -> None:
    """One more entity of `group` uses `value`; it is read from the next hour on."""
    fresh = _add(keys, counts, meta, pair_key(value, np.uint64(feature)), hour)
    totals[0, feature, 1] += UNIT
    totals[0, feature, 3] += fresh
    if group > 0:
        fresh = _add(keys, counts, meta, pair_key(value, np.uint64(feature + 64 * group)), hour)
        totals[group, feature, 1] += UNIT
        totals[group, feature, 3] += fresh


@kernel
def close_hours(
    totals: np.ndarray,
    circles: np.ndarray,
    circle_totals: np.ndarray,
    sizes: np.ndarray,
    meta: np.ndarray,
    hour: int,
) -> None:
    """Fold what is pending when the open hour moves on to `hour`, and halve for every epoch gone by."""
    gone = epoch_of(hour) - meta[2]
    for g in range(meta[3] + 1):
        for f in range(totals.shape[1]):
            for pair in range(0, 4, 2):
                totals[g, f, pair] += totals[g, f, pair + 1]
                totals[g, f, pair + 1] = 0
            if gone > 0:
                totals[g, f, 0] >>= min(gone, 62)
                totals[g, f, 2] >>= min(gone, 62)
        for b in range(HALF_HOURS + WEEKDAYS):
            circles[g, b, 0] += circles[g, b, 1]
            circles[g, b, 1] = 0
            if gone > 0:
                circles[g, b, 0] >>= min(gone, 62)
        circle_totals[g, 1] = 0
        circle_totals[g, 0] = circles[g, :HALF_HOURS, 0].sum()
    for k in range(KINDS):
        for s in range(4):
            for m in range(3):
                sizes[k, s, m] += sizes[k, s, m + 3]
                sizes[k, s, m + 3] = 0
                if gone > 0:
                    sizes[k, s, m] >>= min(gone, 62)
    meta[1] = hour
    meta[2] = epoch_of(hour)


def newer_uses(parents: Parents) -> Parents:
    """Drop the half of all keys not asked about for longest: a rule that looks at the journal only."""
    held = np.flatnonzero(parents.keys)
    kept = held[np.lexsort((parents.keys[held], parents.counts[held, _HOUR]))[len(held) // 2 :]]
    fresh = parents._replace(keys=np.zeros_like(parents.keys), counts=np.zeros_like(parents.counts))
    rehash(parents.keys[kept], parents.counts[kept], fresh.keys, fresh.counts, PARENT_SHIFT)
    fresh.meta[0] = len(kept)
    return fresh
