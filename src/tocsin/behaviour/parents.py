"""What groups and the whole population use: counts of entities, not of events, read as of the last closed hour.

A count moves when an entity establishes a value, so a flood from one entity weighs as much as one event. Counts
are integers in sixteenths and halve at every epoch; an entity that still uses a value says so once an epoch.
Integer sums do not depend on order, so shards merge without changing a score.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import HALF_HOURS, KINDS, WEEKDAYS, Parents
from tocsin.behaviour.numeric import inlined, kernel, pair_key

__all__ = ["EPOCH_H", "UNIT", "add_use", "backed_off", "close_hours", "epoch_of", "more_uses", "newer_uses"]

UNIT = 16
"""One entity, in sixteenths."""
EPOCH_H = 720
"""Counts halve every thirty days."""
_DISCOUNT = 0.5
_CONCENTRATION = 1.0
_HOUR_BITS = np.uint64(20)
_HOUR_MASK = np.uint64((1 << 20) - 1)
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)


@inlined
def epoch_of(hour: int) -> int:
    """Which span of `EPOCH_H` hours this is."""
    return hour // EPOCH_H


@inlined
def _tag(key: np.uint64) -> np.uint64:
    """What is kept of a key: its upper 44 bits. Of a million keys, two agree in one case of twenty."""
    return (key >> _HOUR_BITS | np.uint64(1)) << _HOUR_BITS


@inlined
def _seek(table: np.ndarray, key: np.uint64) -> int:
    """Place that holds `key`, or the empty one where it would go."""
    tag = _tag(key)
    i = np.int64((tag >> _HIGH) * np.uint64(len(table)) >> _HIGH)
    while table[i, 0] != np.uint64(0) and table[i, 0] & ~_HOUR_MASK != tag:
        i = i + 1 if i + 1 < len(table) else 0
    return i


@inlined
def _in_range(hour: int) -> int:
    """The hour as it is written down: 1970 to 2089."""
    return min(max(hour, 0), np.int64(_HOUR_MASK))


@inlined
def _settle(table: np.ndarray, i: int, hour: int) -> None:
    """Fold what came before this hour into the closed count, then halve it for every epoch gone by."""
    last = np.int64(table[i, 0] & _HOUR_MASK)
    now = _in_range(hour)
    if last < now:
        closed = (table[i, 1] & _LOW) + (table[i, 1] >> _HIGH)
        table[i, 1] = min(closed, _LOW) >> np.uint64(min(epoch_of(now) - epoch_of(last), 31))
        table[i, 0] = (table[i, 0] & ~_HOUR_MASK) | np.uint64(now)


@inlined
def _read(table: np.ndarray, key: np.uint64, hour: int) -> int:
    i = _seek(table, key)
    if table[i, 0] == np.uint64(0):
        return 0
    _settle(table, i, hour)
    return np.int64(table[i, 1] & _LOW)


@kernel
def backed_off(
    table: np.ndarray,
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
    everyone = _read(table, pair_key(value, np.uint64(feature)), hour) / UNIT
    n = totals[0, feature, 0] / UNIT
    kinds = float(totals[0, feature, 2])
    p = (max(everyone - _DISCOUNT, 0.0) + (_CONCENTRATION + _DISCOUNT * kinds) / (kinds + 1.0)) / (n + _CONCENTRATION)
    users = everyone
    if group > 0:
        among = 0.0
        if everyone > 0:
            among = _read(table, pair_key(value, np.uint64(feature + 64 * group)), hour) / UNIT
        n = totals[group, feature, 0] / UNIT
        kinds = float(totals[group, feature, 2])
        p = (max(among - _DISCOUNT, 0.0) + (_CONCENTRATION + _DISCOUNT * kinds) * p) / (n + _CONCENTRATION)
        users = among
    return min(p, 1.0), users


@inlined
def _add(table: np.ndarray, meta: np.ndarray, key: np.uint64, hour: int) -> bool:
    i = _seek(table, key)
    fresh = table[i, 0] == np.uint64(0)
    if fresh:
        table[i, 0] = _tag(key) | np.uint64(_in_range(hour))
        meta[0] += 1
    _settle(table, i, hour)
    table[i, 1] += np.uint64(UNIT << 32)
    return fresh


@kernel
def add_use(
    table: np.ndarray,
    totals: np.ndarray,
    meta: np.ndarray,
    feature: int,
    value: np.uint64,
    group: int,
    hour: int,
) -> None:
    """One more entity of `group` uses `value`; it is read from the next hour on."""
    fresh = _add(table, meta, pair_key(value, np.uint64(feature)), hour)
    totals[0, feature, 1] += UNIT
    totals[0, feature, 3] += fresh
    if group > 0:
        fresh = _add(table, meta, pair_key(value, np.uint64(feature + 64 * group)), hour)
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
    halved = min(max(epoch_of(hour) - meta[2], 0), 62)
    for g in range(meta[3] + 1):
        for f in range(totals.shape[1]):
            for pair in range(0, 4, 2):
                totals[g, f, pair] += totals[g, f, pair + 1]
                totals[g, f, pair + 1] = 0
            totals[g, f, 0] >>= halved
            totals[g, f, 2] >>= halved
        for b in range(HALF_HOURS + WEEKDAYS):
            circles[g, b, 0] += circles[g, b, 1]
            circles[g, b, 1] = 0
            circles[g, b, 0] >>= halved
        circle_totals[g, 1] = 0
        circle_totals[g, 0] = circles[g, :HALF_HOURS, 0].sum()
    for k in range(KINDS):
        for s in range(4):
            for m in range(3):
                sizes[k, s, m] += sizes[k, s, m + 3]
                sizes[k, s, m + 3] = 0
                sizes[k, s, m] >>= halved
    meta[1] = hour
    meta[2] = epoch_of(hour)


@kernel
def _move(rows: np.ndarray, table: np.ndarray) -> None:
    for j in range(len(rows)):
        if rows[j, 0] != np.uint64(0):
            i = _seek(table, rows[j, 0])
            table[i, 0] = rows[j, 0]
            table[i, 1] = rows[j, 1]


def more_uses(parents: Parents) -> Parents:
    """The same with a quarter more room."""
    fresh = parents._replace(table=np.zeros((len(parents.table) * 5 // 4, 2), np.uint64))
    _move(parents.table, fresh.table)
    return fresh


def newer_uses(parents: Parents) -> Parents:
    """Drop the half of all keys not asked about for longest: a rule that looks at the journal only."""
    rows = parents.table[parents.table[:, 0] != 0]
    kept = np.lexsort((rows[:, 0] >> _HOUR_BITS, rows[:, 0] & _HOUR_MASK))[len(rows) // 2 :]
    fresh = parents._replace(table=np.zeros_like(parents.table))
    _move(rows[kept], fresh.table)
    fresh.meta[0] = len(kept)
    return fresh
