"""How much an event moves: bytes each way and rows, drawn around what its action usually moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.drill.vocabulary import ACTIONS

if TYPE_CHECKING:
    from tocsin.drill.columns import Array

__all__ = ["draw_sizes"]

_OUT: Final = np.array([a.out for a in ACTIONS])
_IN: Final = np.array([a.taken_in for a in ACTIONS])
_ROWS: Final = np.array([a.rows for a in ACTIONS])
_SPREAD: Final = np.array([a.spread for a in ACTIONS])
_LARGEST: Final = 5e10


def draw_sizes(rng: np.random.Generator, action: Array, factor: Array | float) -> dict[str, Array]:
    """Columns `bytes_in`, `bytes_out` and `count`; -1 where the action's log line has none."""
    noise = rng.normal(size=(2, len(action)))
    log_factor = np.log(factor)
    moved = np.exp(np.maximum(_OUT, _IN)[action] + _SPREAD[action] * noise[0] + log_factor)
    rows = np.exp(_ROWS[action] + 0.9 * noise[1] + 0.7 * log_factor)
    size = np.minimum(moved, _LARGEST).astype(np.int64) + 1
    return {
        "bytes_in": np.where(_IN[action] > 0, size, -1),
        "bytes_out": np.where(_OUT[action] > 0, size, -1),
        "count": np.where(_ROWS[action] > 0, np.minimum(rows, 1e9).astype(np.int64) + 1, -1),
    }
