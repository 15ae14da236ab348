"""One pass: each event is scored against what its subject is known to do, and then teaches it.

The functions here take the state apart and put it back together; a batch of one is a batch.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.calibrate import (
    BIN_BITS,
    TOTAL_BIN,
    bin_of,
    close_calibration,
    look_up,
    look_up_total,
    stratum_of,
    worth,
)
from tocsin.behaviour.cells import find_cell, home_cell
from tocsin.behaviour.features import (
    ACTION,
    ADDRESS,
    AMOUNT,
    BYTES,
    CATEGORICAL,
    COUNTRY,
    FEATURE_COUNT,
    HOUR,
    KIND_AMOUNT,
    RATE_SUBJECT,
    VOLUME,
    WEEKDAY,
    WITNESS,
)
from tocsin.behaviour.layout import (
    CELL_HOUR,
    CELL_N,
    F_EVENTS_NOW,
    F_GROUP,
    F_LOG_SIZE,
    F_OFFSET,
    F_RARE_NOW,
    FACTS_FROM,
    R_N,
    R_SIZE,
    R_TIME,
    R_VOLUME_NOW,
    SMALLEST_LOG,
    Bench,
    Calibration,
    Columns,
    Entities,
    Limits,
    Out,
    Parents,
)
from tocsin.behaviour.learn import learn, wake
from tocsin.behaviour.numeric import fast_log2, inlined, kept_after, kernel, part, prefetch
from tocsin.behaviour.parents import backed_off, close_hours
from tocsin.behaviour.quantities import hour_bits, population_bits, size_bits, usual_hours, weekday_bits
from tocsin.behaviour.values import cell_key, own_share

__all__ = ["score"]

_COUNTED_AN_HOUR = 64
"""Events of one entity in one hour that calibration counts; a flood must not make itself ordinary."""
_RARE_BITS = 6.0
"""Bits from which calibration counts an entity once an hour, feature by feature; so a flood stays rare."""
_AGAIN = 0.25
"""Weight that what was met before in the same hour has in what adds up."""
_OWNED = 0.75
"""Units from which a value is weighed by the entity's own use alone; below, its parents are asked."""
_AHEAD = 6
_FAR = 14
_LINE_BYTES = 64
_CELL_BYTES = 16
_LATE = 4


@inlined
def _value_bits(ents, words, hours, parents, limits, slot, feature, key, hour, place, fact):
    """Raw bits of one value, and whether the entity owns it; parents are asked only about what it does not own."""
    row = ents.rows[slot]
    seen = 0.0
    if place >= 0 and words[place, CELL_N] > 0:
        seen = words[place, CELL_N] * kept_after(limits.decays, hour - hours[place, CELL_HOUR])
    own, mass = own_share(row, feature, seen)
    fact[0] = seen
    if seen >= _OWNED:
        return -fast_log2(min(own + mass * own, 1.0)), True
    group = ents.facts[slot, F_GROUP]
    p, fact[1] = backed_off(parents.table, parents.totals, feature, key, group, hour)
    return -fast_log2(min(own + mass * p, 1.0)), seen > 0


@part
def _where(ents, words, hours, parents, limits, cols, i, hour, keys, places, raw, facts):
    """Raw bits along country, network, subnet and address: down to the first that is not owned, no further."""
    slot = cols.slot[i]
    if keys[ADDRESS] != 0:
        places[ADDRESS] = find_cell(ents.cells, ents.facts, slot, keys[ADDRESS])
        if places[ADDRESS] >= 0 and words[places[ADDRESS], CELL_N] > 0:
            raw[ADDRESS], _ = _value_bits(
                ents, words, hours, parents, limits, slot, ADDRESS, keys[ADDRESS], hour, places[ADDRESS], facts[ADDRESS]
            )
            return
    owned = True
    for feature in range(COUNTRY, ADDRESS - 1, -1):
        if keys[feature] == 0:
            continue
        if feature != ADDRESS:
            places[feature] = find_cell(ents.cells, ents.facts, slot, keys[feature])
        if owned:
            raw[feature], owned = _value_bits(
                ents, words, hours, parents, limits, slot, feature, keys[feature], hour, places[feature], facts[feature]
            )


@part
def _values(ents, words, hours, parents, limits, cols, i, hour, keys, places, raw, facts):
    slot = cols.slot[i]
    for feature in range(CATEGORICAL):
        value = cols.values[i, feature]
        keys[feature] = cell_key(value, feature) if value != 0 else np.uint64(0)
        places[feature] = -1
        raw[feature] = -1.0
    for feature in range(CATEGORICAL):
        if keys[feature] == 0 or ADDRESS <= feature <= COUNTRY:
            continue
        places[feature] = find_cell(ents.cells, ents.facts, slot, keys[feature])
        raw[feature], _ = _value_bits(
            ents, words, hours, parents, limits, slot, feature, keys[feature], hour, places[feature], facts[feature]
        )
    _where(ents, words, hours, parents, limits, cols, i, hour, keys, places, raw, facts)


@part
def _quantities(ents, parents, cols, i, raw, facts):
    slot = cols.slot[i]
    row = ents.rows[slot]
    kind = cols.kind[i]
    group = ents.facts[slot, F_GROUP]
    circle = parents.hours[group]
    total = float(parents.circle_totals[group, 0])
    half = cols.half[i]
    raw[HOUR] = hour_bits(row, circle, total, half)
    raw[WEEKDAY] = weekday_bits(row, circle, total, cols.weekday[i])
    for which in range(3):
        value = cols.sizes[i, which]
        raw[BYTES + which] = -1.0
        if value == value:  # noqa: PLR0124 - not NaN
            raw[BYTES + which] = size_bits(row, which, parents.sizes[kind, which], value, facts[BYTES + which])
    raw[KIND_AMOUNT] = -1.0
    if raw[AMOUNT] >= 0:
        raw[KIND_AMOUNT] = population_bits(parents.sizes[kind, 2], cols.sizes[i, 2], facts[KIND_AMOUNT])
    raw[VOLUME] = -1.0
    if cols.quantity[i] == cols.quantity[i]:
        moved = fast_log2(1.0 + max(row[R_VOLUME_NOW] + cols.quantity[i], 0.0))
        raw[VOLUME] = size_bits(row, 3, parents.sizes[0, 3], moved, facts[VOLUME])
        facts[VOLUME, 1] = moved
    for which in range(3):
        raw[RATE_SUBJECT + which] = cols.rates[i, which, 0]
        facts[RATE_SUBJECT + which, 0] = cols.rates[i, which, 1]
        facts[RATE_SUBJECT + which, 1] = cols.rates[i, which, 2]


@inlined
def _known(row, feature):
    """How many units the entity has of what this feature looks at; rates allow for that in their own bits."""
    if feature < CATEGORICAL:
        return row[R_N + feature]
    if feature <= WEEKDAY:
        return row[R_TIME]
    if feature <= AMOUNT:
        return row[R_SIZE + 3 * (feature - BYTES)]
    if feature == VOLUME:
        return row[R_SIZE + 9]
    return 0.0


@inlined
def _met_already(ents, hours, slot, hour, places, feature):
    """Whether what this feature shows was seen of the entity before in this hour: it is no new evidence."""
    if feature < CATEGORICAL:
        return places[feature] >= 0 and hours[places[feature], CELL_HOUR] >= hour
    return feature <= WEEKDAY and ents.facts[slot, F_EVENTS_NOW] > 1


@part
def _gauge(ents, calib, cols, i, raw, x, counts):
    """Calibrated bits of every feature, counted for the hours to come."""
    row = ents.rows[cols.slot[i]]
    kind = cols.kind[i]
    for feature in range(FEATURE_COUNT):
        x[feature] = 0.0
        if raw[feature] >= 0:
            stratum = stratum_of(_known(row, feature))
            x[feature] = max(look_up(calib.table[kind, stratum, feature], raw[feature]), 0.0)
            rare = np.int32(x[feature] >= _RARE_BITS) << feature
            if counts and not rare & ents.facts[cols.slot[i], F_RARE_NOW]:
                ents.facts[cols.slot[i], F_RARE_NOW] |= rare
                calib.pending[kind, stratum, feature, bin_of(raw[feature], BIN_BITS)] += 1
                calib.dirty[kind, stratum] = 1


@part
def _weigh(ents, hours, calib, cols, out, i, hour, raw, places):
    """Hear the witnesses: of the features that see the same thing only the rarest; then calibrate their sum.

    `fresh` is the same with what was met before in this hour at a quarter of its weight: repeating is no new evidence.
    """
    slot = cols.slot[i]
    kind = cols.kind[i]
    counts = ents.facts[slot, F_EVENTS_NOW] < _COUNTED_AN_HOUR
    ents.facts[slot, F_EVENTS_NOW] += counts
    x = out.x[i]
    _gauge(ents, calib, cols, i, raw, x, counts)
    total = float(cols.extra[i])
    fresh = total
    best, best_fresh, heard = 0.0, 0.0, -1
    for feature in range(FEATURE_COUNT):
        told = worth(calib.weights[kind, feature], x[feature])
        again = _met_already(ents, hours, slot, hour, places, feature)
        best_fresh = max(best_fresh, _AGAIN * told if again else told)
        if told > best:
            if heard >= 0:
                x[heard] = 0.0
            best, heard = told, feature
        else:
            x[feature] = 0.0
        if feature == FEATURE_COUNT - 1 or WITNESS[feature + 1] != WITNESS[feature]:
            total += best
            fresh += best_fresh
            best, best_fresh, heard = 0.0, 0.0, -1
    _conclude(ents, calib, cols, out, i, total, fresh, counts)


@part
def _conclude(ents, calib, cols, out, i, total, fresh, counts):
    """How rare so much surprise is.

    Features are calibrated among entities known as well as this one, so their sum is comparable and is calibrated
    over all.
    """
    slot = cols.slot[i]
    kind = cols.kind[i]
    spread = np.cbrt(total) ** 2
    edges = calib.table[kind, 0, FEATURE_COUNT]
    out.known[i] = ents.rows[slot, R_N + ACTION]
    out.surprise[i] = total
    out.tail[i] = max(look_up_total(edges, spread), 0.0)
    out.fresh[i] = max(look_up_total(edges, np.cbrt(fresh) ** 2), 0.0)
    rare = np.int32(out.tail[i] >= _RARE_BITS) << FEATURE_COUNT
    if counts and not rare & ents.facts[slot, F_RARE_NOW]:
        ents.facts[slot, F_RARE_NOW] |= rare
        calib.pending[kind, 0, FEATURE_COUNT, bin_of(spread, TOTAL_BIN)] += 1
        calib.dirty[kind, 0] = 1


@part
def _look_ahead(ents, cols, i):
    """Ask for the profile of an event soon to come; its facts came earlier, so they tell where its cells are."""
    slot = cols.slot[i]
    log = ents.facts[slot, F_LOG_SIZE]
    if log == 0:
        return
    mask = np.uint64((1 << log) - 1)
    base = ents.cells.ctypes.data + (np.int64(ents.facts[slot, F_OFFSET]) << SMALLEST_LOG) * _CELL_BYTES
    for feature in range(CATEGORICAL):
        if cols.values[i, feature] != 0:
            prefetch(base + home_cell(cell_key(cols.values[i, feature], feature), mask) * _CELL_BYTES)


@part
def _look_far_ahead(ents, cols, i):
    """Ask for the facts and the row of an event to come."""
    slot = cols.slot[i]
    prefetch(ents.facts.ctypes.data + slot * ents.facts.strides[0])
    row = ents.rows.ctypes.data + slot * ents.rows.strides[0]
    for line in range(0, ents.rows.strides[0], _LINE_BYTES):
        prefetch(row + line)


@kernel
def score(
    ents: Entities,
    words: np.ndarray,
    hours: np.ndarray,
    parents: Parents,
    calib: Calibration,
    cols: Columns,
    out: Out,
    start: int,
    limits: Limits,
    bench: Bench,
) -> int:
    """Score events from `start` on and let each teach; the number of the first event there was no room for.

    `words` and `hours` view `ents.cells` as float32 and int32. Late events are passed over: their bits are NaN.
    """
    keys, places, raw, facts = bench
    block = 4 << limits.max_log
    for i in range(start, len(cols.slot)):
        held = parents.meta[0]
        if ents.meta[1] + block > len(ents.cells) or held * 5 + 256 > len(parents.table) * 4 or held > limits.most_uses:
            return i
        if i + _FAR < len(cols.slot):
            _look_far_ahead(ents, cols, i + _FAR)
        if i + _AHEAD < len(cols.slot):
            _look_ahead(ents, cols, i + _AHEAD)
        if cols.flags[i] & _LATE:
            out.surprise[i] = np.nan
            out.tail[i] = np.nan
            out.fresh[i] = np.nan
            continue
        hour = cols.hour[i]
        if hour > parents.meta[1]:
            close_hours(parents.totals, parents.hours, parents.circle_totals, parents.sizes, parents.meta, hour)
            close_calibration(calib.hist, calib.pending, calib.table, calib.dirty, limits.calibration_kept)
        slot = cols.slot[i]
        wake(ents, parents, limits, slot, hour)
        _values(ents, words, hours, parents, limits, cols, i, hour, keys, places, raw, facts)
        _quantities(ents, parents, cols, i, raw, facts)
        _weigh(ents, hours, calib, cols, out, i, hour, raw, places)
        if out.tail[i] >= FACTS_FROM:
            usual_hours(ents.rows[slot], facts[HOUR:])
            for feature in range(FEATURE_COUNT):
                out.facts[i, feature, 0] = facts[feature, 0]
                out.facts[i, feature, 1] = facts[feature, 1]
        learn(ents, words, hours, parents, limits, cols, i, hour, keys, places, out.tail[i])
    return len(cols.slot)
