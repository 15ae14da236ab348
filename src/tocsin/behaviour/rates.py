"""How fast events come, against how fast they usually do: for a subject, for a pair, and for a target.

A count that fades within minutes, `a`, is compared with what is usual, `m`: the count that the long-run rate would
give or, for subjects and pairs, the habit: the largest count of earlier half days, so that a nightly job is no alarm.
Bursts have heavy tails, so the bits are those of a power law, `2 log2((a + 1) / (m + 1))`: a Poisson law would call
every burst impossible and tell none apart. What the rate and the habit learn is winsorised: one flood does not become
the expectation. A target has no habit, since whoever attacks it would write it. (MIDAS compares a fading count with the
mean by chi-squared: Bhatia et al. 2020.)
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import RATE_WIDTH, Rates
from tocsin.behaviour.numeric import fast_log2, inlined, kernel, prefetch, rehash

__all__ = ["RATE_SHIFT", "larger", "measure_rates", "newer_half", "rate_place"]

RATE_SHIFT = 12
"""Which bits of a key choose its place."""
FAST_S = 300.0
"""Half-life of the fading count."""
_SLOW_S = 14 * 86_400.0
_MEAN_LIFE_S = FAST_S / 0.6931471805599453
_PRIOR_S = 6 * 3_600.0
"""A key never met is given one event in this long a time."""
_WINSOR = 4.0
_EPISODE_H = 12
"""A burst becomes habit only after the half day in which it came."""
_RISE = 2.0
"""A habit grows by at most so much in one half day."""
_SLOPE = 2.0
"""Exponent of the power law."""
_AHEAD = 8
_TARGET = 2
_ROLES = 3
_FAST, _SLOW, _ELAPSED, _HABIT, _EPISODE, _LAST = 2, 3, 4, 5, 6, 7
_RECORD_BYTES = 4 * RATE_WIDTH


@inlined
def rate_place(table: np.ndarray, key: np.uint64) -> int:
    """Place that holds `key`, or the empty one where it would go."""
    mask = np.uint64(len(table) - 1)
    i = (key >> np.uint64(RATE_SHIFT)) & mask
    while table[i, 0] != key and table[i, 0] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    return np.int64(i)


@inlined
def _usual(state: np.ndarray) -> float:
    """Fading count that the long-run rate alone would hold."""
    return _MEAN_LIFE_S * (state[_SLOW] + 1.0) / (state[_ELAPSED] + _PRIOR_S)


@inlined
def _wait(state: np.ndarray, last: int, now: int) -> None:
    """Bring the counts of one key from the second `last` to this one."""
    gap = float(now - last)
    kept = 2.0 ** (-gap / _SLOW_S)
    if now // (_EPISODE_H * 3600) != last // (_EPISODE_H * 3600):
        most = _RISE * max(state[_HABIT], _usual(state), 1.0)
        state[_HABIT] = max(state[_HABIT], min(state[_EPISODE], most))
        state[_EPISODE] = 0.0
    state[_HABIT] *= kept
    state[_FAST] *= 2.0 ** (-gap / FAST_S)
    state[_SLOW] *= kept
    state[_ELAPSED] = state[_ELAPSED] * kept + gap


@inlined
def _count(state: np.ndarray, role: int, out: np.ndarray) -> None:
    usual = _usual(state)
    fast = state[_FAST] + 1.0
    state[_FAST] = fast
    state[_SLOW] += min(1.0, _WINSOR * max(usual, 1.0) / fast)
    state[_EPISODE] = max(state[_EPISODE], fast)
    if role != _TARGET:
        usual = max(usual, state[_HABIT])
    out[0] = _SLOPE * fast_log2((fast + 1.0) / (usual + 1.0)) if fast > usual else 0.0
    out[1] = fast
    out[2] = usual


@kernel
def measure_rates(
    rates: Rates,
    states: np.ndarray,
    lasts: np.ndarray,
    keys: np.ndarray,
    times_s: np.ndarray,
    out: np.ndarray,
    start: int,
    most: int,
) -> int:
    """Fill `out[m, 3, 3]` (bits, fast count, usual count) for `keys[m, 3]`; 0 is no key, its bits are -1.

    `states` and `lasts` view the table as float32 and uint32; time goes by whole seconds, and those before 1970 do not
    count. Returns the number of the first event for which the table had no room, or would pass `most` keys.
    """
    for i in range(start, len(times_s)):
        if rates.meta[0] * 3 + 16 > len(rates.table) * 2 or rates.meta[0] + _ROLES > most:
            return i
        if i + _AHEAD < len(times_s):
            for role in range(3):
                at = np.int64((keys[i + _AHEAD, role] >> np.uint64(RATE_SHIFT)) & np.uint64(len(rates.table) - 1))
                prefetch(rates.table.ctypes.data + at * _RECORD_BYTES)
        for role in range(3):
            key = keys[i, role]
            if key == 0 or times_s[i] < 0:
                out[i, role, 0] = -1.0
                continue
            place = rate_place(rates.table, key)
            now = np.int64(times_s[i])
            if rates.table[place, 0] == 0:
                rates.table[place, 0] = key
                lasts[place, _LAST] = now
                rates.meta[0] += 1
            if now > lasts[place, _LAST]:
                _wait(states[place], np.int64(lasts[place, _LAST]), now)
                lasts[place, _LAST] = now
            _count(states[place], role, out[i, role])
    return len(times_s)


def larger(rates: Rates) -> Rates:
    """The same in a table twice as large."""
    return _moved(rates, np.flatnonzero(rates.table[:, 0]), 2 * len(rates.table))


def newer_half(rates: Rates) -> Rates:
    """Drop the half of all keys that came longest ago: a rule that looks at the journal only, never at memory."""
    held = np.flatnonzero(rates.table[:, 0])
    lasts = rates.table.view(np.uint32)[held, _LAST]
    return _moved(rates, held[np.lexsort((rates.table[held, 0], lasts))[len(held) // 2 :]], len(rates.table))


def _moved(rates: Rates, kept: np.ndarray, places: int) -> Rates:
    fresh = Rates(np.zeros((places, rates.table.shape[1]), np.uint64), np.array([len(kept), 0]))
    rehash(rates.table[kept, 0], rates.table[kept], fresh.table[:, 0], fresh.table, RATE_SHIFT)
    return fresh
