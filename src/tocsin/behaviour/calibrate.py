"""From a raw surprise to how rare it is among entities known as well as this one.

A histogram of each feature's raw bits is kept for every kind of event and every stratum of knowledge; its tail,
with the half of ties that a mid-p value counts (Lancaster 1961), gives the calibrated bits. A few pseudo-events with
an exponential tail start it and carry it beyond what was ever seen, so that rarer always means more bits.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.layout import BINS, STRATA
from tocsin.behaviour.numeric import fast_log2, inlined, kernel

__all__ = ["BIN_BITS", "TOTAL_BIN", "bin_of", "close_calibration", "look_up", "refresh", "stratum_of", "witness"]

BIN_BITS = 0.125
"""Width of a bin of one feature's raw bits: 32 bits are covered."""
TOTAL_BIN = 0.5
"""Width of a bin of a whole event's bits (the power 2/3 of the sum): 128 are covered."""
_PSEUDO = 4.0
_PRIOR_SLOPE = 0.5
"""Bits that a raw bit is worth where nothing is known."""
_TOTAL_SLOPE = 0.5
_BEYOND = 0.1


@inlined
def stratum_of(known: float) -> int:
    """Which of eight strata: 0, 1, 2 to 3, 4 to 7 … 64 units and more."""
    s = 0
    while known >= 1.0 and s < STRATA - 1:
        known *= 0.5
        s += 1
    return s


@inlined
def bin_of(value: float, width: float) -> int:
    """Bin of a value, clamped to the histogram."""
    return min(max(np.int64(value / width), 0), BINS - 1)


@inlined
def look_up(edges: np.ndarray, value: float, width: float) -> float:
    """Calibrated bits of `value`, straight between the edges of its bin, rising slowly beyond the last."""
    place = value / width
    if place >= BINS - 1:
        return edges[BINS - 1] + (value - width * (BINS - 1)) * _BEYOND
    k = max(np.int64(place), 0)
    return edges[k] + (place - k) * (edges[k + 1] - edges[k])


@kernel
def refresh(hist: np.ndarray, edges: np.ndarray, width: float, slope: float) -> None:
    """Bits at each edge of one histogram, from the tail above it."""
    total = hist.sum() + _PSEUDO
    tail = 0.0
    edges[BINS] = -fast_log2(_PSEUDO * 2.0 ** (-slope * width * BINS) / total)
    for k in range(BINS - 1, -1, -1):
        tail += hist[k]
        edges[k] = -fast_log2((tail + _PSEUDO * 2.0 ** (-slope * width * k)) / total)


@kernel
def close_calibration(
    hist: np.ndarray, pending: np.ndarray, table: np.ndarray, dirty: np.ndarray, kept: float
) -> None:
    """Fold the hour's counts and rebuild the tables they touch; `kept` is the weight that older counts keep."""
    planes = hist.shape[2]
    for kind in range(hist.shape[0]):
        for stratum in range(hist.shape[1]):
            if not dirty[kind, stratum]:
                continue
            dirty[kind, stratum] = 0
            for f in range(planes):
                last = f == planes - 1
                for k in range(BINS):
                    hist[kind, stratum, f, k] = hist[kind, stratum, f, k] * kept + pending[kind, stratum, f, k]
                    pending[kind, stratum, f, k] = 0
                refresh(
                    hist[kind, stratum, f],
                    table[kind, stratum, f],
                    TOTAL_BIN if last else BIN_BITS,
                    _TOTAL_SLOPE if last else _PRIOR_SLOPE,
                )


@inlined
def witness(x: float) -> float:
    """What a feature adds to the whole: its calibrated bits to the power 3/2."""
    return x * np.sqrt(x)
