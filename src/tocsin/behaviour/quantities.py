"""How surprising an amount, an hour, a day is, against the entity's own past shrunk to that of its peers."""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import HALF_HOURS, R_HOURS, R_SIZE, R_TIME, R_WEEKDAYS, WEEKDAYS
from tocsin.behaviour.numeric import fast_log2, inlined, kernel

__all__ = [
    "add_size",
    "hour_bits",
    "own_hours",
    "population_bits",
    "size_bits",
    "usual_hours",
    "weekday_bits",
    "winsor",
]

_PEER_HOURS = 6.0
"""Weight of the peers' circle, in hours of the entity's own."""
_ENOUGH_HOURS = 8.0
"""Own and peers' hours from which an hour of the day can be unusual at all; before, it says nothing: -1."""
_PEER_MEAN = 1.0
"""Weight of the peers' mean."""
_PEER_SPREAD = 2.0
"""Weight of the peers' spread; with the entity's own weight, the degrees of freedom."""
_LEAST_SPREAD = 0.05
"""Smallest variance of a log2 size: fixed prices are not infinitely surprising to leave."""
_WINSOR = 1.5
"""In standard deviations: a run of thefts must not teach what is usual while it lasts."""
_MOST_OF_IT = 0.95


@inlined
def own_hours(row: np.ndarray, half: int) -> float:
    """Own weight near a half hour, by a triangular kernel two half hours wide on the circle of the day."""
    near = 3.0 * row[R_HOURS + half]
    near += 2.0 * (row[R_HOURS + (half + 1) % HALF_HOURS] + row[R_HOURS + (half + 47) % HALF_HOURS])
    near += row[R_HOURS + (half + 2) % HALF_HOURS] + row[R_HOURS + (half + 46) % HALF_HOURS]
    return near / 9.0


@inlined
def hour_bits(row: np.ndarray, circle: np.ndarray, total: float, half: int) -> float:
    """Raw bits of the half hour; `circle` holds the peers' closed units in its first column, `total` their sum."""
    near = 3.0 * circle[half, 0]
    near += 2.0 * (circle[(half + 1) % HALF_HOURS, 0] + circle[(half + 47) % HALF_HOURS, 0])
    near += circle[(half + 2) % HALF_HOURS, 0] + circle[(half + 46) % HALF_HOURS, 0]
    if row[R_TIME] + total < _ENOUGH_HOURS:
        return -1.0
    peers = (near / 9.0 + 1.0 / HALF_HOURS) / (total + 1.0)
    p = (own_hours(row, half) + _PEER_HOURS * peers) / (row[R_TIME] + _PEER_HOURS)
    return max(0.0, -fast_log2(p * HALF_HOURS) + 4.0)


@inlined
def weekday_bits(row: np.ndarray, circle: np.ndarray, total: float, day: int) -> float:
    """Raw bits of the day of the week; the peers' days follow their half hours in `circle`."""
    if row[R_TIME] + total < _ENOUGH_HOURS:
        return -1.0
    peers = (circle[HALF_HOURS + day, 0] + 1.0 / WEEKDAYS) / (total + 1.0)
    p = (row[R_WEEKDAYS + day] + _PEER_HOURS * peers) / (row[R_TIME] + _PEER_HOURS)
    return max(0.0, -fast_log2(p * WEEKDAYS) + 3.0)


@inlined
def _shrunk(row: np.ndarray, which: int, peers: np.ndarray) -> tuple[float, float, float]:
    """Mean, variance and degrees of freedom of a log2 size; `peers` holds count, sum and sum of squares / 256."""
    n0 = float(peers[0])
    mean0 = 0.0
    var0 = 4.0
    if n0 >= 1.0:
        mean0 = peers[1] / 256.0 / n0
        var0 = max(peers[2] / 256.0 / n0 - mean0 * mean0, _LEAST_SPREAD)
    w = float(row[R_SIZE + 3 * which])
    mean1 = float(row[R_SIZE + 3 * which + 1])
    mean = (w * mean1 + _PEER_MEAN * mean0) / (w + _PEER_MEAN)
    apart = w * _PEER_MEAN / (w + _PEER_MEAN) * (mean1 - mean0) ** 2
    squares = row[R_SIZE + 3 * which + 2] + _PEER_SPREAD * var0 + min(apart, var0)
    var = max(squares / (w + _PEER_SPREAD), _LEAST_SPREAD)
    return mean, var * (1.0 + 1.0 / (w + _PEER_MEAN)), w + _PEER_SPREAD


@inlined
def size_bits(row: np.ndarray, which: int, peers: np.ndarray, value: float, fact: np.ndarray) -> float:
    """Raw bits of a log2 size above its mean, by the log density of Student's t; nothing below the mean.

    `fact` receives the mean and the standard deviation expected.
    """
    mean, var, freedom = _shrunk(row, which, peers)
    fact[0] = mean
    fact[1] = np.sqrt(var)
    if value <= mean:
        return 0.0
    t2 = (value - mean) ** 2 / var
    return 0.5 * (freedom + 1.0) * fast_log2(1.0 + t2 / freedom)


@inlined
def population_bits(peers: np.ndarray, value: float, fact: np.ndarray) -> float:
    """Raw bits of a log2 size above what everyone's events of this kind have, whoever acts."""
    n = float(peers[0])
    if n < 1.0:
        return 0.0
    mean = peers[1] / 256.0 / n
    var = max(peers[2] / 256.0 / n - mean * mean, _LEAST_SPREAD)
    fact[0] = mean
    fact[1] = np.sqrt(var)
    if value <= mean:
        return 0.0
    return 3.0 * fast_log2(1.0 + (value - mean) ** 2 / var / 5.0)


@inlined
def winsor(row: np.ndarray, which: int, peers: np.ndarray, value: float) -> float:
    """What the profile may learn of a size: never further out than one and a half standard deviations."""
    mean, var, _ = _shrunk(row, which, peers)
    reach = _WINSOR * np.sqrt(var)
    return min(max(value, mean - reach), mean + reach)


@inlined
def add_size(row: np.ndarray, which: int, value: float) -> None:
    """One more unit in the decayed mean and spread (West 1979)."""
    w = row[R_SIZE + 3 * which] + np.float32(1.0)
    gap = np.float32(value) - row[R_SIZE + 3 * which + 1]
    row[R_SIZE + 3 * which] = w
    row[R_SIZE + 3 * which + 1] += gap / w
    row[R_SIZE + 3 * which + 2] += gap * (np.float32(value) - row[R_SIZE + 3 * which + 1])


@kernel
def usual_hours(row: np.ndarray, facts: np.ndarray) -> None:
    """For the words of an explanation: the shortest arc of the day that holds 95% of what is known, in half hours.

    Row 0 of `facts` receives its start and length, row 1 the share inside and the hours known in all.
    """
    total = 0.0
    for half in range(HALF_HOURS):
        total += row[R_HOURS + half]
    facts[0, 0] = 0.0
    facts[0, 1] = HALF_HOURS
    facts[1, 0] = 1.0
    facts[1, 1] = total
    if total <= 0:
        return
    end, inside = 0, 0.0
    for start in range(HALF_HOURS):
        while inside < _MOST_OF_IT * total and end < start + HALF_HOURS:
            inside += row[R_HOURS + end % HALF_HOURS]
            end += 1
        if inside >= _MOST_OF_IT * total and end - start < facts[0, 1]:
            facts[0, 0] = start
            facts[0, 1] = end - start
            facts[1, 0] = min(inside / total, 1.0)
        inside -= row[R_HOURS + start]
