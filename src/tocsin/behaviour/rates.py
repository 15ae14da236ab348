"""How fast events come, against how fast they usually do: for a subject, for a pair, and for a target.

A count that fades within minutes is compared with the count that the long-run rate would give; the bits are the
Poisson deviance `a ln(a/m) - (a - m)`. What the long-run rate learns is winsorised, so a flood does not soon become
the expectation. (MIDAS compares the same two counts by chi-squared: Bhatia et al. 2020.)
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import Rates
from tocsin.behaviour.numeric import inlined, kernel, prefetch

__all__ = ["RATE_SHIFT", "measure_rates", "rate_place"]

RATE_SHIFT = 12
"""Which bits of a key choose its place."""
FAST_S = 300.0
"""Half-life of the fading count."""
_SLOW_S = 14 * 86_400.0
_LN2 = 0.6931471805599453
_PRIOR_S = 6 * 3_600.0
"""A key never met is given one event in this long a time."""
_WINSOR = 4.0
_FLOOD = 8.0
"""Beyond so many bits only the order of magnitude matters."""
_AHEAD = 8
_FAST, _SLOW, _ELAPSED, _LAST = 0, 1, 2, 3


@inlined
def rate_place(keys: np.ndarray, key: np.uint64) -> int:
    """Place that holds `key`, or the empty one where it would go."""
    mask = np.uint64(len(keys) - 1)
    i = (key >> np.uint64(RATE_SHIFT)) & mask
    while keys[i] != key and keys[i] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    return np.int64(i)


@inlined
def _count(state: np.ndarray, time_s: float, out: np.ndarray) -> None:
    gap = max(time_s - state[_LAST], 0.0)
    fast = state[_FAST]
    slow = state[_SLOW]
    elapsed = state[_ELAPSED]
    if gap > 0:
        fast *= 2.0 ** (-gap / FAST_S)
        kept = 2.0 ** (-gap / _SLOW_S)
        slow *= kept
        elapsed = elapsed * kept + gap
        state[_LAST] = time_s
    usual = FAST_S / _LN2 * (slow + 1.0) / (elapsed + _PRIOR_S)
    fast += 1.0
    bits = (fast * np.log(fast / usual) - (fast - usual)) / _LN2 if fast > usual else 0.0
    out[0] = bits if bits < _FLOOD else _FLOOD + 2.0 * np.log2(bits / _FLOOD)
    out[1] = fast
    out[2] = usual
    state[_FAST] = fast
    state[_SLOW] = slow + min(1.0, _WINSOR * max(usual, 1.0) / fast)
    state[_ELAPSED] = elapsed


@kernel
def measure_rates(rates: Rates, keys: np.ndarray, times_s: np.ndarray, out: np.ndarray, start: int) -> int:
    """Fill `out[m, 3, 3]` (bits, fast count, usual count) for `keys[m, 3]`; 0 is no key, its bits are -1.

    Returns the number of the first event for which the table had no room.
    """
    for i in range(start, len(times_s)):
        if rates.meta[0] * 3 + 16 > len(rates.keys) * 2:
            return i
        if i + _AHEAD < len(times_s):
            for role in range(3):
                at = np.int64((keys[i + _AHEAD, role] >> np.uint64(RATE_SHIFT)) & np.uint64(len(rates.keys) - 1))
                prefetch(rates.keys.ctypes.data + at * 8)
                prefetch(rates.state.ctypes.data + at * 32)
        for role in range(3):
            key = keys[i, role]
            if key == 0 or times_s[i] < 0:
                out[i, role, 0] = -1.0
                continue
            place = rate_place(rates.keys, key)
            if rates.keys[place] == 0:
                rates.keys[place] = key
                rates.state[place] = 0.0
                rates.state[place, _LAST] = times_s[i]
                rates.meta[0] += 1
            _count(rates.state[place], times_s[i], out[i, role])
    return len(times_s)
