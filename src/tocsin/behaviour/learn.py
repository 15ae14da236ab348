"""What an event teaches the profile of its subject, after it has been scored.

An event further out than a fixed bound teaches nothing; the values it brought wait in quarantine.
"""

from __future__ import annotations

import numpy as np

from tocsin.behaviour.cells import find_cell, insert_cell
from tocsin.behaviour.features import ADDRESS, CATEGORICAL, COUNTRY
from tocsin.behaviour.layout import (
    CELL_N,
    F_EVENTS,
    F_EVENTS_NOW,
    F_GROUP,
    F_GROUP_HOUR,
    F_GROUP_NEXT,
    F_HOUR,
    F_RARE_NOW,
    F_TIMED,
    HALF_HOURS,
    R_HOURS,
    R_K,
    R_N,
    R_SIZE,
    R_TIME,
    R_TOP,
    R_VOLUME_NOW,
    R_WEEKDAYS,
)
from tocsin.behaviour.numeric import fast_log2, kept_after, part
from tocsin.behaviour.parents import add_use
from tocsin.behaviour.quantities import add_size, winsor
from tocsin.behaviour.values import quarantine, teach_value

__all__ = ["learn", "wake"]

_TAUGHT_AN_HOUR = 64
"""Events in one hour from which an entity's sizes are learned."""


@part
def wake(ents, parents, limits, slot, hour):
    """Bring an entity's row to this hour: its last hour's volume is learned, its counts decay, its group may change."""
    facts = ents.facts[slot]
    gone = hour - facts[F_HOUR]
    if gone <= 0:
        return
    row = ents.rows[slot]
    if row[R_VOLUME_NOW] > 0:
        volume = fast_log2(1.0 + row[R_VOLUME_NOW])
        add_size(row, 3, winsor(row, 3, parents.sizes[0, 3], volume))
    kept = np.float32(kept_after(limits.decays, gone))
    for j in range(R_SIZE):
        row[j] *= kept
    for which in range(4):
        row[R_SIZE + 3 * which] *= kept
        row[R_SIZE + 3 * which + 2] *= kept
    row[R_TOP] *= kept
    row[R_VOLUME_NOW] = 0
    facts[F_HOUR] = hour
    facts[F_EVENTS_NOW] = 0
    facts[F_RARE_NOW] = 0
    if facts[F_GROUP] != facts[F_GROUP_NEXT] and (
        facts[F_GROUP] == 0 or hour - facts[F_GROUP_HOUR] >= limits.refresh_h
    ):
        facts[F_GROUP] = facts[F_GROUP_NEXT]
        facts[F_GROUP_HOUR] = hour


@part
def _teach_values(ents, words, hours, parents, limits, slot, hour, keys, places):
    row = ents.rows[slot]
    group = ents.facts[slot, F_GROUP]
    fresh = False
    for feature in range(CATEGORICAL):
        if keys[feature] == 0:
            continue
        if ADDRESS < feature <= COUNTRY and places[feature] < 0:
            places[feature] = find_cell(ents.cells, ents.facts, slot, keys[feature])
        place = places[feature]
        if place < 0:
            fresh = True
            continue
        if words[place, CELL_N] < 0:
            quarantine(words, hours, place, row, feature, hour, limits.release_days)
        elif teach_value(
            words,
            hours,
            place,
            row,
            ents.facts,
            ents.top,
            slot,
            parents.roots,
            parents.meta,
            feature,
            keys[feature],
            hour,
            limits.decays,
        ):
            add_use(parents.table, parents.totals, parents.meta, feature, keys[feature], group, hour)
    return fresh


@part
def _meet_values(ents, words, hours, limits, slot, hour, keys, places, start):
    """Make cells for values never met, with count `start`: 0 is probation, -1 quarantine."""
    row = ents.rows[slot]
    for feature in range(CATEGORICAL):
        if keys[feature] == 0 or places[feature] >= 0:
            continue
        place = insert_cell(
            ents.cells, words, hours, ents.free, ents.meta, ents.facts, slot, keys[feature], hour, limits.max_log
        )
        words[place, CELL_N] = np.float32(start)
        if start == 0:
            row[R_N + feature] += np.float32(1.0)
            row[R_K + feature] += np.float32(1.0)


@part
def _teach_time(ents, parents, cols, i, slot, hour):
    """One unit an hour on the circles of day and week, own and of the peers."""
    if ents.facts[slot, F_TIMED] >= hour:
        return
    ents.facts[slot, F_TIMED] = hour
    row = ents.rows[slot]
    row[R_HOURS + cols.half[i]] += np.float32(1.0)
    row[R_WEEKDAYS + cols.weekday[i]] += np.float32(1.0)
    row[R_TIME] += np.float32(1.0)
    group = ents.facts[slot, F_GROUP]
    for g in (0, group) if group > 0 else (0, 0):
        parents.hours[g, cols.half[i], 1] += 1
        parents.hours[g, HALF_HOURS + cols.weekday[i], 1] += 1
        parents.circle_totals[g, 1] += 1
        if group == 0:
            break


@part
def _teach_sizes(ents, parents, cols, i, slot):
    row = ents.rows[slot]
    kind = cols.kind[i]
    for which in range(3):
        value = cols.sizes[i, which]
        if value != value:  # noqa: PLR0124 - NaN
            continue
        peers = parents.sizes[kind, which]
        add_size(row, which, winsor(row, which, peers, value))
        peers[3] += 1
        peers[4] += np.int64(value * 256.0)
        peers[5] += np.int64(value * value * 256.0)
    if cols.quantity[i] == cols.quantity[i]:
        moved = fast_log2(1.0 + max(row[R_VOLUME_NOW] + cols.quantity[i], 0.0))
        peers = parents.sizes[0, 3]
        peers[3] += 1
        peers[4] += np.int64(moved * 256.0)
        peers[5] += np.int64(moved * moved * 256.0)


@part
def learn(ents, words, hours, parents, limits, cols, i, hour, keys, places, tail):
    """Let one scored event teach: its values, its hour, its sizes; or, far out, only wait in quarantine."""
    slot = cols.slot[i]
    row = ents.rows[slot]
    ents.facts[slot, F_EVENTS] += 1
    if tail >= limits.quarantine_bits:
        for feature in range(CATEGORICAL):
            if keys[feature] != 0:
                if places[feature] < 0:
                    places[feature] = find_cell(ents.cells, ents.facts, slot, keys[feature])
                if places[feature] >= 0:
                    quarantine(words, hours, places[feature], row, feature, hour, limits.release_days)
        _meet_values(ents, words, hours, limits, slot, hour, keys, places, -1)
    else:
        fresh = _teach_values(ents, words, hours, parents, limits, slot, hour, keys, places)
        if fresh:
            _meet_values(ents, words, hours, limits, slot, hour, keys, places, 0)
        _teach_time(ents, parents, cols, i, slot, hour)
        if ents.facts[slot, F_EVENTS_NOW] <= _TAUGHT_AN_HOUR:
            _teach_sizes(ents, parents, cols, i, slot)
    if cols.quantity[i] == cols.quantity[i]:
        row[R_VOLUME_NOW] += np.float32(max(cols.quantity[i], np.float32(0.0)))
