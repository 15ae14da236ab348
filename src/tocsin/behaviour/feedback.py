"""What verdicts teach, from the hour after they are known and never before.

Without any verdict nothing changes: weights are one and nothing is added. With verdicts, what is known of the
subject, counterparty, device and address of an event adds to its surprise, in the units of the surprise itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.behaviour.features import FEATURE_COUNT
from tocsin.behaviour.layout import KINDS
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

_HALF_LIVES_D: Final = (2.0, 14.0)
_PRIOR: Final = 2.0
_MOST_PLACES: Final = 1 << 18
_DAY_H: Final = 24


class Feedback:
    """What became known of past events, and what it makes of the next ones."""

    def __init__(self, most_places: int = _MOST_PLACES) -> None:
        self._most = most_places
        self._outcomes = new_outcomes()
        self._weights = np.ones((KINDS, FEATURE_COUNT))
        age = np.arange(DAYS)
        self._fading = np.stack([2.0 ** (-age / half) for half in _HALF_LIVES_D])

    @property
    def weights(self) -> np.ndarray:
        """float64[KINDS, FEATURE_COUNT]: what the model multiplies each witness by; ones without any verdict."""
        return self._weights

    def extra(self, values: np.ndarray, subject: np.ndarray, kind: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """float32[m] witness units that known outcomes add to events of `hour`, as of the last closed hour."""
        if not self._outcomes.base[0]:
            return np.zeros(len(kind), np.float32)
        read = np.empty((len(kind), OUTCOME_COUNT))
        read_outcomes(self._outcomes, role_keys(values, subject), hour // _DAY_H, self._fading, _PRIOR, read)
        return (read**1.5).sum(axis=1).astype(np.float32)

    def learn(  # noqa: PLR0913 - columns, passed by name
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
        """Learn outcomes that became known in `known_hour`; they are read from the next hour on.

        `x` is float32[n, FEATURE_COUNT], the calibrated bits with which each event was scored; `hour` is its own.
        """
        keys, done = role_keys(values, subject), 0
        flags = bad.astype(np.uint16)
        while (done := add_outcomes(self._outcomes, keys, flags, known_hour // _DAY_H, done)) < len(keys):
            self._outcomes = pruned(self._outcomes, self._most)

    # --- what survives

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything, by name; `restore` takes it back."""
        named = {f"outcomes.{name}": getattr(self._outcomes, name) for name in Outcomes._fields}
        return named | {"weights": self._weights}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        self._outcomes = Outcomes(*(np.array(arrays[f"outcomes.{name}"]) for name in Outcomes._fields))
        self._weights = np.array(arrays["weights"])
