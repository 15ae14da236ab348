"""Where everything the model knows lies in memory: flat arrays only, so that a snapshot is a file copy.

An entity is one row of `rows` (float32) and one of `facts` (int32), and one block of `cells`: an open-addressed
table of the values it has used. A cell is 16 bytes: the full 64-bit key, the decayed number of hours in which
the value was seen, and the last of those hours.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tocsin.behaviour.features import CATEGORICAL, FEATURE_COUNT, RELEVANCE
from tocsin.event import KINDS as KIND_NAMES

__all__ = [
    "BINS",
    "CELL_HOUR",
    "CELL_N",
    "KINDS",
    "RATE_WIDTH",
    "STRATA",
    "Bench",
    "Calibration",
    "Columns",
    "Entities",
    "Limits",
    "Out",
    "Parents",
    "Rates",
    "first_weights",
    "new_calibration",
    "new_entities",
    "new_parents",
    "new_rates",
]

KINDS: Final = 6
STRATA: Final = 8
RATE_WIDTH: Final = 8
"""32-bit words of a rate, its key included."""
BINS: Final = 256
GROUPS: Final = 256
HALF_HOURS: Final = 48
WEEKDAYS: Final = 7

# --- a row of `rows`, float32
R_N: Final = 0
"""Units seen, a feature each: one for every distinct value in every hour."""
R_K: Final = R_N + CATEGORICAL
"""Distinct values, a feature each."""
R_HOURS: Final = R_K + CATEGORICAL
R_WEEKDAYS: Final = R_HOURS + HALF_HOURS
R_TIME: Final = R_WEEKDAYS + WEEKDAYS
"""Units in the two circles above."""
R_SIZE: Final = R_TIME + 1
"""Weight, mean and squared deviations of log2 size: bytes, count, amount, then the hourly volume."""
R_VOLUME_NOW: Final = R_SIZE + 12
"""What this hour has moved so far."""
R_TOP: Final = R_VOLUME_NOW + 1
"""Units of the action used most."""
ROW_WIDTH: Final = R_TOP + 1

# --- a row of `facts`, int32
F_HOUR: Final = 0
"""Last hour seen; what the row has been decayed to."""
F_FIRST: Final = 1
F_GROUP: Final = 2
F_GROUP_NEXT: Final = 3
F_GROUP_HOUR: Final = 4
F_FLAGS: Final = 5
F_EVENTS_NOW: Final = 6
"""Events in this hour that calibration has counted."""
F_LOG_SIZE: Final = 7
F_USED: Final = 8
F_OFFSET: Final = 9
"""Place of the block in `cells`, in units of the smallest block."""
F_EVENTS: Final = 10
F_TIMED: Final = 11
"""Last hour that the circles of time have counted."""
F_RARE_NOW: Final = 12
"""Features (bits; the last is the whole event) of which calibration has counted a rare value in this hour."""
FACT_WIDTH: Final = 13

FLAG_KNOWN_PRIVILEGED: Final = 1
FLAG_FIXED_GROUP: Final = 2

SMALLEST_LOG: Final = 3
"""The smallest block holds eight cells."""

# --- a cell, seen as four 32-bit words after its key
CELL_N: Final = 2
CELL_HOUR: Final = 3
CONDEMNED: Final = -1e6
"""Count of a value that a person has called bad: it never comes back by itself."""
CONDEMNED_BELOW: Final = -1e5


class Entities(NamedTuple):
    """What each entity normally does."""

    keys: np.ndarray
    """uint64[slots], 0 where free."""
    rows: np.ndarray
    """float32[slots, ROW_WIDTH]"""
    facts: np.ndarray
    """int32[slots, FACT_WIDTH]"""
    top: np.ndarray
    """uint64[slots]: key of the action used most, the root of learned groups."""
    index_keys: np.ndarray
    """uint64[2^n], open-addressed."""
    index_slots: np.ndarray
    """int32[2^n]"""
    cells: np.ndarray
    """uint64[places, 2]; the second word is read through the two views below."""
    free: np.ndarray
    """int64[32]: first free block of each size, -1 where none; the next is chained through the block's first cell."""
    meta: np.ndarray
    """int64[8]: entities used, cells bumped so far, freed entity slots."""


class Parents(NamedTuple):
    """How many entities use a value, in a group and over all; read as of the last closed hour."""

    table: np.ndarray
    """uint64[n, 2]: 44 bits of the key and the hour of what is pending; pending and closed, 32 bits each."""
    totals: np.ndarray
    """int64[GROUPS, CATEGORICAL, 4]: units closed and pending, distinct values closed and pending."""
    hours: np.ndarray
    """int64[GROUPS, 48 + 7, 2]: closed and pending units of every half hour and weekday."""
    circle_totals: np.ndarray
    """int64[GROUPS, 2]: sums over the half hours, closed and pending."""
    sizes: np.ndarray
    """int64[KINDS, 4, 6]: count, sum and sum of squares (1/256 bits), closed then pending."""
    roots: np.ndarray
    """uint64[GROUPS]: what each group is known by, an action or an operator's name; group 0 is everyone."""
    meta: np.ndarray
    """int64[4]: keys used, open hour, epoch, groups used."""


class Columns(NamedTuple):
    """A batch as the kernels read it: one place an event, in journal order."""

    slot: np.ndarray
    """int32: row of the subject."""
    hour: np.ndarray
    """int32: hours since 1970."""
    half: np.ndarray
    """int8: half hour of the day, 0 to 47."""
    weekday: np.ndarray
    """int8: 0 is Monday."""
    kind: np.ndarray
    """int8: index into `KINDS` of events."""
    flags: np.ndarray
    """uint8: 1 privileged, 2 sensitive, 4 late."""
    values: np.ndarray
    """uint64[m, CATEGORICAL]: keyed hashes, 0 where the event does not say."""
    sizes: np.ndarray
    """float32[m, 3]: log2(1 + bytes, count, amount), NaN where the event does not say."""
    quantity: np.ndarray
    """float32: what adds up over an hour: bytes, else count, else amount; NaN where none."""
    rates: np.ndarray
    """float32[m, 3, 3]: raw bits, fast count and expected count of subject, pair, target."""
    extra: np.ndarray
    """float32: what past bad outcomes of the counterparty, device or origin add, in witness units."""


class Out(NamedTuple):
    """What scoring says of each event."""

    x: np.ndarray
    """float32[m, FEATURE_COUNT]: calibrated bits of each feature."""
    surprise: np.ndarray
    """float64"""
    tail: np.ndarray
    """float64"""
    fresh: np.ndarray
    """float64: `tail` without what the entity showed before in the same hour; this adds up."""
    facts: np.ndarray
    """float32[m, FEATURE_COUNT, 2]: numbers behind the words, where `tail` reached `FACTS_FROM`."""
    known: np.ndarray
    """float32: units known of the subject before this event."""


FACTS_FROM: Final = 3.0


class Bench(NamedTuple):
    """Room for one event's figures while it is scored."""

    keys: np.ndarray
    places: np.ndarray
    raw: np.ndarray
    facts: np.ndarray


def new_bench() -> Bench:
    """An empty bench."""
    return Bench(
        np.zeros(CATEGORICAL, np.uint64),
        np.zeros(CATEGORICAL, np.int64),
        np.zeros(FEATURE_COUNT),
        np.zeros((FEATURE_COUNT, 2)),
    )


class Limits(NamedTuple):
    """The settings that a score depends on; they stand in the journal."""

    decays: np.ndarray
    """float64[hours]: weight left after so many hours; the last entry stands for all longer times."""
    quarantine_bits: float
    release_days: int
    max_log: int
    """log2 of the most cells an entity may have."""
    refresh_h: int
    """An entity changes its learned group at most so often."""
    most_uses: int
    """Keys of `Parents` from which the older half is dropped; content, not memory, decides."""
    most_rates: int
    """Likewise keys of `Rates`."""
    calibration_kept: float
    """Weight that calibration keeps of what came before the hour just closed."""


class Rates(NamedTuple):
    """How fast things come: a subject, a pair, a target. One key is half a cache line."""

    table: np.ndarray
    """uint64[2^n, 4]: the key, then six 32-bit words read through two views: five float32 and the last time, uint32
    seconds since 1970."""
    meta: np.ndarray
    """int64[2]: keys used."""


class Calibration(NamedTuple):
    """From raw bits to how rare they are: a feature's in its stratum of knowledge, a whole event's over all."""

    hist: np.ndarray
    """float64[KINDS, STRATA, FEATURE_COUNT + 1, BINS]: decayed, closed; the last plane is the whole event's, in
    stratum 0 alone."""
    pending: np.ndarray
    """int32, same shape: this hour's."""
    table: np.ndarray
    """float32[..., BINS + 1]: bits of each bin of a feature; of the whole event, the share above each edge."""
    dirty: np.ndarray
    """uint8[KINDS, STRATA]"""
    weights: np.ndarray
    """float64[KINDS, FEATURE_COUNT, 2]: what verdicts have taught, of a witness and beyond the bend."""


def new_entities(slots: int = 1 << 10, places: int = 1 << 15) -> Entities:
    """Room for `slots` entities and `places` cells; both grow."""
    index = 1 << int(np.ceil(np.log2(slots * 2)))
    return Entities(
        np.zeros(slots, np.uint64),
        np.zeros((slots, ROW_WIDTH), np.float32),
        np.zeros((slots, FACT_WIDTH), np.int32),
        np.zeros(slots, np.uint64),
        np.zeros(index, np.uint64),
        np.full(index, -1, np.int32),
        np.zeros((places, 2), np.uint64),
        np.full(32, -1, np.int64),
        np.zeros(8, np.int64),
    )


def new_parents(places: int = 1 << 14) -> Parents:
    """No entity has used anything yet."""
    meta = np.zeros(4, np.int64)
    meta[1] = -1
    return Parents(
        np.zeros((places, 2), np.uint64),
        np.zeros((GROUPS, CATEGORICAL, 4), np.int64),
        np.zeros((GROUPS, HALF_HOURS + WEEKDAYS, 2), np.int64),
        np.zeros((GROUPS, 2), np.int64),
        np.zeros((KINDS, 4, 6), np.int64),
        np.zeros(GROUPS, np.uint64),
        meta,
    )


def new_rates(places: int = 1 << 14) -> Rates:
    """Nothing has come yet."""
    return Rates(np.zeros((places, RATE_WIDTH // 2), np.uint64), np.zeros(2, np.int64))


def first_weights() -> np.ndarray:
    """float64[KINDS, FEATURE_COUNT, 2]: what each feature counts for before any verdict; nothing beyond the bend."""
    weights = np.zeros((KINDS, FEATURE_COUNT, 2))
    weights[:, :, 0] = 1.0
    for kind, said in RELEVANCE.items():
        for feature, weight in said.items():
            weights[KIND_NAMES.index(kind), feature, 0] = weight
    return weights


def new_calibration() -> Calibration:
    """Nothing is known of how rare anything is: until an hour has closed, nothing is rare."""
    shape = (KINDS, STRATA, FEATURE_COUNT + 1, BINS)
    table = np.zeros((*shape[:3], BINS + 1), np.float32)
    table[:, :, FEATURE_COUNT] = 1.0
    return Calibration(
        np.zeros(shape),
        np.zeros(shape, np.int32),
        table,
        np.ones((KINDS, STRATA), np.uint8),
        first_weights(),
    )
