"""Formulas of the referee that know of nobody: tails of histograms, and sizes among peers."""

# ruff: noqa: SLF001 - the formulas are written anew here, their constants are not
from __future__ import annotations

import math

import numpy as np

from tocsin.behaviour import calibrate as c
from tocsin.behaviour import quantities as q


def table(hist, slope, *, whole):
    above = np.cumsum(hist[::-1])[::-1]
    total = hist.sum() + c._PSEUDO
    if whole:
        prior = c._PSEUDO * 2.0 ** (-c._TOTAL_SLOPE * c.TOTAL_BIN * np.arange(c.BINS + 1.0))
        return (np.append(above, 0.0) + prior) / total
    prior = c._PSEUDO * 2.0 ** (-slope * c.BIN_BITS * (np.arange(c.BINS) + 0.5))
    return -np.log2((above - 0.5 * hist + prior) / total)


def population(peers):
    if peers[0] < 1:
        return 0.0, 4.0
    mean = peers[1] / 256.0 / peers[0]
    return mean, max(peers[2] / 256.0 / peers[0] - mean * mean, q._LEAST_SPREAD)


def shrunk(size, peers):
    mean0, var0 = population(peers)
    w, mean1, squares = size
    mean = (w * mean1 + q._PEER_MEAN * mean0) / (w + q._PEER_MEAN)
    apart = w * q._PEER_MEAN / (w + q._PEER_MEAN) * (mean1 - mean0) ** 2
    var = (squares + q._PEER_SPREAD * var0 + min(apart, var0)) / (w + q._PEER_SPREAD)
    return mean, max(var, q._LEAST_SPREAD) * (1.0 + 1.0 / (w + q._PEER_MEAN)), w + q._PEER_SPREAD


def size_bits(size, peers, value):
    mean, var, freedom = shrunk(size, peers)
    return 0.0 if value <= mean else 0.5 * (freedom + 1) * math.log2(1 + (value - mean) ** 2 / var / freedom)


def overall_bits(peers, value):
    mean, var = population(peers)
    return 0.0 if peers[0] < 1 or value <= mean else 3.0 * math.log2(1 + (value - mean) ** 2 / var / 5.0)
