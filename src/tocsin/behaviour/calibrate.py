"""From a raw surprise to how rare it is: a feature's among what is known as well, a whole event's among all.

A histogram of each feature's raw bits is kept for every kind of event and every stratum of knowledge; its tail,
with the half of ties that a mid-p value counts (Lancaster 1961), gives the calibrated bits. The sum of an event's
features has one histogram for every kind of event, whatever is known of the entity. A few pseudo-events with an
exponential tail start each and carry it beyond what was ever seen, so that rarer always means more bits.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.features import RATE_SUBJECT
from tocsin.behaviour.layout import BINS, STRATA
from tocsin.behaviour.numeric import fast_log2, inlined, kernel

__all__ = [
    "BEND_BITS",
    "BIN_BITS",
    "TOTAL_BIN",
    "bin_of",
    "close_calibration",
    "look_up",
    "look_up_total",
    "refresh",
    "refresh_total",
    "stratum_of",
    "worth",
]

BIN_BITS = 0.125
"""Width of a bin of one feature's raw bits: 32 bits are covered."""
TOTAL_BIN = 0.5
"""Width of a bin of a whole event's bits (the power 2/3 of the sum): 128 are covered."""
BEND_BITS = 8.0
"""From here on verdicts may teach that a rare value counts for more than its witness."""
_PSEUDO = 4.0
_PRIOR_SLOPE = 0.25
"""Bits that a raw bit is worth where nothing is known; little, so that a young system does not ring."""
_RATE_SLOPE = 0.5
"""The same for rates, whose raw bits are those of a power law already."""
_TOTAL_SLOPE = 0.25
_BEYOND = 0.1
_PRIOR = _PSEUDO * 2.0 ** (-_PRIOR_SLOPE * BIN_BITS * (np.arange(BINS) + 0.5))
_RATE_PRIOR = _PSEUDO * 2.0 ** (-_RATE_SLOPE * BIN_BITS * (np.arange(BINS) + 0.5))
_TOTAL_PRIOR = _PSEUDO * 2.0 ** (-_TOTAL_SLOPE * TOTAL_BIN * np.arange(BINS + 1.0))


@inlined
def stratum_of(known: float) -> int:
    """Which of eight strata: 0, 1, 2 to 3, 4 to 7 … 64 units and more."""
    return min(max((np.float32(known).view(np.int32) >> 23) - 126, 0), STRATA - 1)


@inlined
def bin_of(value: float, width: float) -> int:
    """Bin of a value, clamped to the histogram."""
    return min(max(np.int64(value / width), 0), BINS - 1)


@inlined
def look_up(middles: np.ndarray, value: float) -> float:
    """Calibrated bits of one feature's raw bits: the mid-p value of its bin, rising slowly beyond the last.

    Nothing is told apart within a bin: where all events have one and the same value, it is worth one bit.
    """
    place = value / BIN_BITS
    if place >= BINS - 1:
        return middles[BINS - 1] + (value - BIN_BITS * (BINS - 1)) * _BEYOND
    return middles[max(np.int64(place), 0)]


@inlined
def look_up_total(tails: np.ndarray, value: float) -> float:
    """Bits of a whole event: its bin's events are taken to lie evenly in it, so that order is kept."""
    place = value / TOTAL_BIN
    if place >= BINS - 1:
        return -fast_log2(tails[BINS - 1]) + (value - TOTAL_BIN * (BINS - 1)) * _BEYOND
    k = max(np.int64(place), 0)
    return -fast_log2(tails[k] + (place - k) * (tails[k + 1] - tails[k]))


@kernel
def refresh(hist: np.ndarray, middles: np.ndarray, prior: np.ndarray) -> None:
    """Bits in the middle of each bin of one feature's histogram, from the tail above it."""
    tail = 0.0
    for k in range(BINS - 1, -1, -1):
        tail += hist[k]
        middles[k] = tail - 0.5 * hist[k]
    scale = 1.0 / (tail + _PSEUDO)
    for k in range(BINS):
        middles[k] = -fast_log2((middles[k] + prior[k]) * scale)


@kernel
def refresh_total(hist: np.ndarray, tails: np.ndarray) -> None:
    """Share of events above each edge of the whole event's histogram."""
    total = hist.sum() + _PSEUDO
    tail = 0.0
    tails[BINS] = _TOTAL_PRIOR[BINS] / total
    for k in range(BINS - 1, -1, -1):
        tail += hist[k]
        tails[k] = (tail + _TOTAL_PRIOR[k]) / total


@kernel
def close_calibration(hist: np.ndarray, pending: np.ndarray, table: np.ndarray, dirty: np.ndarray, kept: float) -> None:
    """Fold the hour's counts and rebuild the tables they touch; `kept` is the weight that older counts keep."""
    planes = hist.shape[2]
    for kind in range(hist.shape[0]):
        for stratum in range(hist.shape[1]):
            if not dirty[kind, stratum]:
                continue
            dirty[kind, stratum] = 0
            for f in range(planes):
                for k in range(BINS):
                    hist[kind, stratum, f, k] = hist[kind, stratum, f, k] * kept + pending[kind, stratum, f, k]
                    pending[kind, stratum, f, k] = 0
                if f < planes - 1:
                    prior = _RATE_PRIOR if f >= RATE_SUBJECT else _PRIOR
                    refresh(hist[kind, stratum, f], table[kind, stratum, f], prior)
                else:
                    refresh_total(hist[kind, stratum, f], table[kind, stratum, f])


@inlined
def worth(weights: np.ndarray, x: float) -> float:
    """Weigh a feature: its witness, the calibrated bits to the power 3/2, and each bit beyond the bend."""
    return weights[0] * x * np.sqrt(x) + weights[1] * max(x - BEND_BITS, 0.0)
