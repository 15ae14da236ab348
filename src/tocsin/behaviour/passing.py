"""What is looked at before and after an event is scored: whether it comes too late, and what story it may belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.behaviour.features import ADDRESS, COUNTRY, FAMILY, FEATURE_COUNT
from tocsin.behaviour.layout import F_FLAGS, FLAG_KNOWN_PRIVILEGED
from tocsin.behaviour.numeric import kernel

if TYPE_CHECKING:
    import numpy as np

    from tocsin.behaviour.live import Rules

__all__ = ["mark_absolute", "mark_late", "story_keys"]

_PRIVILEGED = 1
_SENSITIVE = 2
_WITNESSES = 2
"""Families of features that must bear out what always rings."""


@kernel
def mark_late(times_s: np.ndarray, clock: np.ndarray, late_s: float, late: np.ndarray) -> None:
    """Mark what lies further behind the newest event before it than `late_s`; `clock` holds the newest."""
    newest = clock[0]
    for i in range(len(times_s)):
        newest = max(newest, times_s[i])
        late[i] = times_s[i] < newest - late_s
    clock[0] = newest


@kernel
def _families(x: np.ndarray, witness_bits: float) -> int:
    """How many families have a feature of at least so many bits."""
    met = 0
    for feature in range(FEATURE_COUNT):
        if x[feature] >= witness_bits:
            met |= 1 << FAMILY[feature]
    count = 0
    while met:
        count += met & 1
        met >>= 1
    return count


@kernel
def mark_absolute(
    facts: np.ndarray,
    slots: np.ndarray,
    flags: np.ndarray,
    x: np.ndarray,
    tails: np.ndarray,
    rules: Rules,
    absolute: np.ndarray,
) -> None:
    """Mark what is privileged or sensitive, rare enough, and borne out by two features of different families.

    Once privileged, always: the facts of an entity keep it.
    """
    for i in range(len(slots)):
        if flags[i] & _PRIVILEGED:
            facts[slots[i], F_FLAGS] |= FLAG_KNOWN_PRIVILEGED
        absolute[i] = False
        if tails[i] >= rules.absolute_bits:
            grave = flags[i] & _SENSITIVE > 0 or facts[slots[i], F_FLAGS] & FLAG_KNOWN_PRIVILEGED > 0
            absolute[i] = grave and _families(x[i], rules.witness_bits) >= _WITNESSES


@kernel
def story_keys(x: np.ndarray, values: np.ndarray, witness_bits: float, keys: np.ndarray) -> None:
    """Fill `keys` with the address of each event to whose subject the place is unusual, else 0."""
    for i in range(len(keys)):
        keys[i] = 0
        for feature in range(ADDRESS, COUNTRY + 1):
            if x[i, feature] >= witness_bits:
                keys[i] = values[i, ADDRESS]
