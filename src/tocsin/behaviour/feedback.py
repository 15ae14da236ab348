"""What verdicts teach, from the hour after they are known and never before.

Without any verdict nothing changes: features count as they did and nothing is added. With verdicts, a monotone
learner for each kind of event weighs its features anew, and what is known of its subject, counterparty, device and
address adds to its surprise, in the units of the surprise itself: weights are scaled so that the surprise of a good
event stays, on average, what it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.behaviour.calibrate import BEND_BITS
from tocsin.behaviour.features import FEATURE_COUNT
from tocsin.behaviour.layout import KINDS, first_weights
from tocsin.behaviour.learner import Learner, fit, new_learner
from tocsin.behaviour.outcomes import (
    DAYS,
    OUTCOME_COUNT,
    Outcomes,
    add_outcomes,
    new_outcomes,
    pruned,
    read_outcomes,
    role_keys,
)

__all__ = ["Feedback"]

_HALF_LIVES_D: Final = (2.0, 30.0)
_MOST_PLACES: Final = 1 << 18
_DAY_H: Final = 24
_FORGET_H: Final = 90.0 * _DAY_H
_LEAST_OUTCOMES: Final = 10.0
"""Good and bad outcomes of a kind from which its learner is listened to."""
_NATS: Final = 0.05
"""Log-odds that one witness unit is worth before any verdict."""
_LEAST_NATS: Final = 0.01
_TRUST: Final = 0.4
"""Log-odds that one bit of bad odds is worth before any verdict."""
_SCALES: Final = (10.0, 3.0, 3.0)
"""Units of a witness, of a bend, of an outcome's bits that the learner counts as one."""
_PRECISION: Final = 4.0
_WIDTH: Final = 2 * FEATURE_COUNT + OUTCOME_COUNT


def _prior(kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision of the learner's coefficients for one kind, before any verdict."""
    outcomes = np.tile([_TRUST, 0.0], OUTCOME_COUNT // 2) * _SCALES[2]
    witnesses = first_weights()[kind, :, 0] * _NATS * _SCALES[0]
    mean = np.concatenate([witnesses, np.zeros(FEATURE_COUNT), outcomes, [-5.0]])
    return mean, np.full(_WIDTH + 1, _PRECISION)


class Feedback:
    """What became known of past events, and what it makes of the next ones.

    When only bad outcomes are ever told, tell of the rest with `learn(bad=False)` once their usual delay is over;
    until a kind has ten of each, only the rates of bad outcomes speak, against a base of one in a hundred.
    """

    def __init__(self, most_places: int = _MOST_PLACES) -> None:
        self._most = most_places
        self._outcomes = new_outcomes()
        self._learners = [new_learner(*_prior(kind)) for kind in range(KINDS)]
        self._usual = np.zeros((KINDS, FEATURE_COUNT, 2))
        """Sums over good events of witness and bend, decayed."""
        self._clock = np.zeros(1, np.int64)
        self._fading = np.stack([2.0 ** (-np.arange(DAYS) / half) for half in _HALF_LIVES_D])
        self._refresh()

    @property
    def weights(self) -> np.ndarray:
        """float64[KINDS, FEATURE_COUNT, 2]: worth of a witness and of each bit beyond the bend, in witness units."""
        return self._weights

    @property
    def told(self) -> bool:
        """Whether any outcome is known, so that `extra` can be other than zero."""
        return bool(self._outcomes.base[0])

    def extra(self, values: np.ndarray, subject: np.ndarray, kind: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """float32[m] witness units that known outcomes add to events of `hour`, as of the last closed hour."""
        if not self.told:
            return np.zeros(len(kind), np.float32)
        read = self._read(role_keys(values, subject), hour)
        return np.asarray((read * self._worth[kind]).sum(axis=1), np.float32)

    def learn(
        self,
        *,
        x: np.ndarray,
        values: np.ndarray,
        subject: np.ndarray,
        kind: np.ndarray,
        hour: np.ndarray,
        bad: np.ndarray,
        known_hour: int,
    ) -> None:
        """Learn outcomes that became known before `known_hour`.

        `x` is float32[n, FEATURE_COUNT], the calibrated bits with which each event was scored; `hour` is its own.
        The learner sees each event with what was known of its counterparty on the day it happened, not with what is
        known now: a delay costs in training what it costs in use.
        """
        keys, done = role_keys(values, subject), 0
        flags = bad.astype(np.uint16)
        while (done := add_outcomes(self._outcomes, keys, flags, (known_hour - 1) // _DAY_H, done)) < len(keys):
            self._outcomes = pruned(self._outcomes, self._most)
        kept = 2.0 ** (-max(known_hour - int(self._clock[0]), 0) / _FORGET_H) if self._clock[0] else 1.0
        self._clock[0] = max(known_hour, int(self._clock[0]))
        shape = _shape(x)
        self._usual *= kept
        rows = np.concatenate(
            [shape[..., 0] / _SCALES[0], shape[..., 1] / _SCALES[1], self._read(keys, hour) / _SCALES[2]], axis=1
        )
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        for k in np.unique(kind):
            of = kind == k
            fit(self._learners[k], rows[of], bad[of], _prior(int(k))[1], kept)
            self._usual[k] += shape[of & ~bad].sum(axis=0)
        self._refresh()

    def _read(self, keys: np.ndarray, hour: np.ndarray) -> np.ndarray:
        read = np.empty((len(keys), OUTCOME_COUNT))
        read_outcomes(self._outcomes, keys, hour // _DAY_H, self._fading, read)
        return read

    def _refresh(self) -> None:
        """Put what was learned into the units of surprise."""
        self._weights = first_weights()
        self._worth = np.empty((KINDS, OUTCOME_COUNT))
        for kind, learner in enumerate(self._learners):
            first, usual, nats = self._weights[kind].copy(), self._usual[kind], _NATS
            theta = _prior(kind)[0]
            if learner.counts.min() >= _LEAST_OUTCOMES:
                theta = learner.theta
                learned = theta[: 2 * FEATURE_COUNT].reshape(2, FEATURE_COUNT).T / np.array(_SCALES[:2])
                nats = max(float((learned * usual).sum() / (first * usual).sum()), _LEAST_NATS)
                self._weights[kind] = learned / nats
            self._worth[kind] = theta[2 * FEATURE_COUNT : _WIDTH] / _SCALES[2] / nats

    # --- what survives

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything, by name; `restore` takes it back."""
        named = {f"outcomes.{name}": getattr(self._outcomes, name) for name in Outcomes._fields}
        for name in Learner._fields:
            named[f"learner.{name}"] = np.stack([getattr(learner, name) for learner in self._learners])
        return named | {"usual": self._usual, "clock": self._clock}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        self._outcomes = Outcomes(*(np.array(arrays[f"outcomes.{name}"]) for name in Outcomes._fields))
        self._learners = [
            Learner(*(np.array(arrays[f"learner.{name}"][kind]) for name in Learner._fields)) for kind in range(KINDS)
        ]
        self._usual, self._clock = np.array(arrays["usual"]), np.array(arrays["clock"])
        self._refresh()


def _shape(x: np.ndarray) -> np.ndarray:
    """float64[n, FEATURE_COUNT, 2]: witness of each feature, and bits beyond the bend."""
    bits = x.astype(np.float64)
    return np.stack([bits * np.sqrt(bits), np.maximum(bits - BEND_BITS, 0.0)], axis=2)
