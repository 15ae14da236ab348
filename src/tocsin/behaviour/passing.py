"""What is looked at before and after an event is scored: whether it comes too late, and what story it may belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.behaviour.features import ADDRESS, COUNTRY
from tocsin.behaviour.numeric import kernel

if TYPE_CHECKING:
    import numpy as np

__all__ = ["mark_late", "story_keys"]


@kernel
def mark_late(times_s: np.ndarray, clock: np.ndarray, late_s: float, late: np.ndarray) -> None:
    """Mark what lies further behind the newest event before it than `late_s`; `clock` holds the newest."""
    newest = clock[0]
    for i in range(len(times_s)):
        newest = max(newest, times_s[i])
        late[i] = times_s[i] < newest - late_s
    clock[0] = newest


@kernel
def story_keys(x: np.ndarray, values: np.ndarray, witness_bits: float, keys: np.ndarray) -> None:
    """Fill `keys` with the address of each event to whose subject the place is unusual, else 0."""
    for i in range(len(keys)):
        keys[i] = 0
        for feature in range(ADDRESS, COUNTRY + 1):
            if x[i, feature] >= witness_bits:
                keys[i] = values[i, ADDRESS]
