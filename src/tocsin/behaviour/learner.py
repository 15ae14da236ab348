"""A monotone logistic learner: how likely an event is to turn out badly, from how rare its features are.

One quadratic approximation of the log-likelihood is carried along (online Laplace, as in Chapelle and Li 2011, with
the whole matrix) and minimised by coordinate descent over coefficients that are never negative, so that rarer never
means safer. Loops in a fixed order and no linear algebra library: the same verdicts give the same bits anywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tocsin.behaviour.numeric import kernel

__all__ = ["Learner", "fit", "new_learner"]

_SWEEPS = 12
_FARTHEST = 30.0
"""Log-odds beyond which a probability is as good as certain."""


class Learner(NamedTuple):
    """What verdicts on one kind of event have taught; the last coefficient is the level."""

    theta: np.ndarray
    """float64[width + 1]: log-odds for each unit of a column."""
    precision: np.ndarray
    """float64[width + 1, width + 1]"""
    counts: np.ndarray
    """float64[2]: good and bad outcomes learned, decayed."""


def new_learner(mean: np.ndarray, precision: np.ndarray) -> Learner:
    """Nothing is known but a prior, with `mean` and diagonal `precision`."""
    return Learner(mean.astype(np.float64), np.diag(precision).astype(np.float64), np.zeros(2))


@kernel
def _gather(theta: np.ndarray, precision: np.ndarray, rows: np.ndarray, bad: np.ndarray, slope: np.ndarray) -> None:
    width = rows.shape[1]
    for i in range(len(rows)):
        z = 0.0
        for a in range(width):
            z += theta[a] * rows[i, a]
        p = 1.0 / (1.0 + np.exp(-min(max(z, -_FARTHEST), _FARTHEST)))
        for a in range(width):
            if rows[i, a] == 0.0:
                continue
            slope[a] += (bad[i] - p) * rows[i, a]
            heft = p * (1.0 - p) * rows[i, a]
            for b in range(width):
                precision[a, b] += heft * rows[i, b]


@kernel
def _descend(theta: np.ndarray, precision: np.ndarray, slope: np.ndarray) -> None:
    """Take the best step of the quadratic; INVARIANT: only the level may be negative."""
    width = len(theta)
    for _ in range(_SWEEPS):
        for a in range(width):
            moved = theta[a] + slope[a] / precision[a, a]
            if a < width - 1:
                moved = max(moved, 0.0)
            step = moved - theta[a]
            theta[a] = moved
            if step != 0.0:
                for b in range(width):
                    slope[b] -= precision[b, a] * step


def fit(learner: Learner, rows: np.ndarray, bad: np.ndarray, prior: np.ndarray, kept: float) -> None:
    """Learn from `rows` float64[n, width + 1] (last column one); first let the past fade to `kept` above `prior`."""
    learner.precision[:] = np.diag(prior) + kept * (learner.precision - np.diag(prior))
    learner.counts[:] *= kept
    learner.counts[1] += int(bad.sum())
    learner.counts[0] += len(bad) - int(bad.sum())
    slope = np.zeros(len(learner.theta))
    _gather(learner.theta, learner.precision, rows, bad.astype(np.float64), slope)
    _descend(learner.theta, learner.precision, slope)
