"""How often a subject, a counterparty, a device or an address had to do with something bad, as far as was known.

A compromised terminal shows only through its past. For each key the known outcomes of the last month stand in one
ring of days, by the day on which they became known: integers, so their order never matters, and what was known on
an earlier day can be read again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tocsin.behaviour.features import ADDRESS, COUNTERPARTY, DEVICE
from tocsin.behaviour.numeric import fast_log2, inlined, kernel, mix, pair_key

__all__ = [
    "DAYS",
    "OUTCOME_COUNT",
    "ROLES",
    "Outcomes",
    "add_outcomes",
    "new_outcomes",
    "pruned",
    "read_outcomes",
    "role_keys",
]

ROLES: Final = 4
"""Subject, counterparty, device, address."""
WINDOWS: Final = 2
OUTCOME_COUNT: Final = ROLES * WINDOWS
"""Figures read for an event: two for each role."""
DAYS: Final = 32
_DAY_H: Final = 24
_PLACE_SHIFT: Final = 20
_MOST: Final = 65_535
_PRIOR: Final = 0.25
"""Outcomes at the base rate that every key is given to begin with."""
_BAD, _ALL = 0, 1


class Outcomes(NamedTuple):
    """The table: open-addressed, one ring of days a key."""

    keys: np.ndarray
    """uint64[2^n], 0 where free."""
    last: np.ndarray
    """int32[2^n]: the newest day that the ring holds."""
    days: np.ndarray
    """uint16[2^n, DAYS, 2]: bad outcomes and all outcomes that became known on each day."""
    base: np.ndarray
    """int64[2]: bad outcomes and all outcomes ever known."""
    meta: np.ndarray
    """int64[1]: keys used."""


def new_outcomes(places: int = 1 << 12) -> Outcomes:
    """Nothing is known to have turned out badly."""
    return Outcomes(
        np.zeros(places, np.uint64),
        np.zeros(places, np.int32),
        np.zeros((places, DAYS, 2), np.uint16),
        np.zeros(2, np.int64),
        np.zeros(1, np.int64),
    )


def role_keys(values: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """uint64[m, ROLES] from the hashes of an event; 0 where the event does not say."""
    said = np.stack([subject, values[:, COUNTERPARTY], values[:, DEVICE], values[:, ADDRESS]], axis=1)
    keys = np.empty_like(said)
    _salt(said, keys)
    return keys


@kernel
def _salt(said: np.ndarray, keys: np.ndarray) -> None:
    for i in range(len(said)):
        for role in range(ROLES):
            keys[i, role] = pair_key(said[i, role], np.uint64(2 * role + 1)) if said[i, role] != 0 else np.uint64(0)


@inlined
def _seek(keys: np.ndarray, key: np.uint64) -> int:
    """Place that holds `key`, or the empty one where it would go."""
    mask = np.uint64(len(keys) - 1)
    i = (mix(key) >> np.uint64(_PLACE_SHIFT)) & mask
    while keys[i] != key and keys[i] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    return np.int64(i)


@kernel
def add_outcomes(table: Outcomes, keys: np.ndarray, bad: np.ndarray, day: int, start: int) -> int:
    """Count outcomes that became known on `day`; the first event for which the table had no room."""
    for i in range(start, len(keys)):
        if (table.meta[0] + ROLES) * 4 > len(table.keys) * 3:
            return i
        for role in range(ROLES):
            if keys[i, role] == 0:
                continue
            place = _seek(table.keys, keys[i, role])
            if table.keys[place] == 0:
                table.keys[place] = keys[i, role]
                table.last[place] = day
                table.meta[0] += 1
            while table.last[place] < day:
                step = max(table.last[place] + 1, day - DAYS + 1)
                table.last[place] = step
                table.days[place, step % DAYS, _BAD] = 0
                table.days[place, step % DAYS, _ALL] = 0
            ring = table.days[place, day % DAYS]
            if ring[_ALL] < _MOST:
                ring[_BAD] += bad[i]
                ring[_ALL] += 1
        table.base[_BAD] += bad[i]
        table.base[_ALL] += 1
    return len(keys)


def pruned(table: Outcomes, most: int) -> Outcomes:
    """Make room again: a table twice as large, or, at `most` places, without the half that says least.

    What says least depends on content alone: keys that were never bad, then those heard of longest ago.
    """
    held = np.flatnonzero(table.keys)
    if len(table.keys) >= most:
        bad = table.days[held, :, _BAD].sum(axis=1) > 0
        order = np.lexsort((table.keys[held], table.last[held], bad))
        held = held[order[len(order) // 2 :]]
    fresh = new_outcomes(min(2 * len(table.keys), most))
    fresh.base[:] = table.base
    fresh.meta[0] = len(held)
    _move(table, fresh, held)
    return fresh


@kernel
def _move(old: Outcomes, new: Outcomes, held: np.ndarray) -> None:
    for j in range(len(held)):
        place = _seek(new.keys, old.keys[held[j]])
        new.keys[place] = old.keys[held[j]]
        new.last[place] = old.last[held[j]]
        for d in range(DAYS):
            new.days[place, d, _BAD] = old.days[held[j], d, _BAD]
            new.days[place, d, _ALL] = old.days[held[j], d, _ALL]


@inlined
def _bits_above(bad: float, every: float, base: float) -> float:
    """Log-odds of a bad outcome above those of everybody, in bits; nothing below."""
    odds = (bad + _PRIOR * base) / (every - bad + _PRIOR * (1.0 - base))
    return max(fast_log2(odds) - fast_log2(base / (1.0 - base)), 0.0)


@inlined
def _bits_of(days: np.ndarray, last: int, day: int, base: float, fading: np.ndarray, bits: np.ndarray) -> None:
    """Read one ring as of `day`: bits of the newest outcomes, and how far they stand above the long memory.

    The short memory fades from the newest outcome known, not from today: what has not been contradicted stands.
    """
    newest = -1
    bad = every = long_bad = long_every = 0.0
    for age in range(max(day - last, 0), DAYS):
        if day - age <= last - DAYS:
            break
        ring = days[(day - age) % DAYS]
        if ring[_ALL] == 0:
            continue
        if newest < 0:
            newest = age
        bad += fading[0, age - newest] * ring[_BAD]
        every += fading[0, age - newest] * ring[_ALL]
        long_bad += fading[1, age] * ring[_BAD]
        long_every += fading[1, age] * ring[_ALL]
    if long_bad > 0:
        bits[0] = _bits_above(bad, every, base)
        bits[1] = max(bits[0] - _bits_above(long_bad, long_every, base), 0.0)


@kernel
def read_outcomes(table: Outcomes, keys: np.ndarray, days: np.ndarray, fading: np.ndarray, out: np.ndarray) -> None:
    """Fill `out[m, OUTCOME_COUNT]` with what was known up to and with the day given of each event.

    For each role: bits of bad odds above everybody's, over the short memory; and by how many bits that is worse
    than over the long one, for what turned bad lately. `fading[2, DAYS]` is the weight of what is so many days old.
    """
    base = (table.base[_BAD] + 1.0) / (table.base[_ALL] + 100.0)
    for i in range(len(keys)):
        for role in range(ROLES):
            bits = out[i, role * WINDOWS : (role + 1) * WINDOWS]
            bits[0] = 0.0
            bits[1] = 0.0
            if keys[i, role] == 0:
                continue
            place = _seek(table.keys, keys[i, role])
            if table.keys[place] != 0:
                _bits_of(table.days[place], table.last[place], days[i], base, fading, bits)
