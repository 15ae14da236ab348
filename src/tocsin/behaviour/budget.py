"""Which surprises ring: slow runs add up, the threshold follows the budget, one story rings once.

It runs last, over one merged sequence in journal order, because the budget is shared by everybody.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tocsin.behaviour.numeric import kernel

__all__ = ["Desk", "Terms", "forget_stories", "new_desk", "ring"]

_DAY_S: Final = 86_400.0
_LEAK_S: Final = 3_600.0
_ACC, _LAST, _MEAN, _COUNT, _MUTE = 0, 1, 2, 3, 4
_TAU, _TOKENS, _CLOCK, _CARRY, _CREDIT, _STORIES = 0, 1, 2, 3, 4, 5
_STEP: Final = 0.5
"""Bits by which an alert lifts the threshold, and by which a missing one lowers it."""
_FIRST_TAU: Final = 7.0
_LEAST_TAU: Final = 6.0
_SHARE: Final = 0.005
"""Alerts are never asked for faster than one in two hundred events, however large the budget."""
_LEAST_DRAIN: Final = 3.0
LEAST_BITS: Final = 3.0
"""No event rings that is less surprising by itself, however much had gathered before it."""
_DRAIN: Final = 2.0
_MEMORY: Final = 200.0
_MODEST: Final = 20.0
"""Events without any surprise that every mean starts from: a newcomer cannot call its own attack usual."""


class Terms(NamedTuple):
    """What the operator asked for."""

    per_day: float
    mute_s: float
    story_s: float


class Desk(NamedTuple):
    """Where the merged sequence has got to."""

    entities: np.ndarray
    """float64[slots, 5]: accumulated bits, when, mean bits, events in that mean, mute until."""
    alert_of: np.ndarray
    """int64[slots]: seq of the alert the entity last rang or joined, -1 for none."""
    story_keys: np.ndarray
    """uint64[2^n]: addresses of open stories."""
    stories: np.ndarray
    """float64[2^n, 2]: seq of the alert, until when it takes in others."""
    control: np.ndarray
    """float64[6]: threshold, tokens, clock, time not yet spent, events not yet spent, stories held."""


def new_desk(slots: int = 1 << 10, stories: int = 1 << 12) -> Desk:
    """Nobody has rung."""
    control = np.zeros(6)
    control[_TAU] = _FIRST_TAU
    control[_CLOCK] = -1.0
    return Desk(
        np.zeros((slots, 5)),
        np.full(slots, -1, np.int64),
        np.zeros(stories, np.uint64),
        np.zeros((stories, 2)),
        control,
    )


@kernel
def _tick(control: np.ndarray, time_s: float, per_day: float) -> None:
    """Let the threshold sink by the time gone by, no faster than events come."""
    if control[_CLOCK] < 0:
        control[_CLOCK] = time_s
        control[_TOKENS] = 2.0 * per_day
    due = per_day * max(time_s - control[_CLOCK], 0.0) / _DAY_S
    control[_CLOCK] = max(control[_CLOCK], time_s)
    control[_TOKENS] = min(control[_TOKENS] + due, 2.0 * per_day)
    control[_CARRY] = min(control[_CARRY] + due, per_day)
    control[_CREDIT] = min(control[_CREDIT] + _SHARE, per_day)
    spent = min(control[_CARRY], control[_CREDIT])
    control[_CARRY] -= spent
    control[_CREDIT] -= spent
    control[_TAU] = max(control[_TAU] - _STEP * spent, _LEAST_TAU)


@kernel
def _accumulate(entity: np.ndarray, time_s: float, bits: float) -> float:
    gap = max(time_s - entity[_LAST], 0.0)
    drain = max(_LEAST_DRAIN, _DRAIN * entity[_MEAN])
    entity[_ACC] = max(0.0, entity[_ACC] * 2.0 ** (-gap / _LEAK_S) + bits - drain)
    entity[_LAST] = max(entity[_LAST], time_s)
    entity[_COUNT] = min(entity[_COUNT] + 1.0, _MEMORY)
    entity[_MEAN] += (min(bits, 4.0 * drain) - entity[_MEAN]) / (entity[_COUNT] + _MODEST)
    return entity[_ACC]


@kernel
def _story(desk: Desk, key: np.uint64) -> int:
    mask = np.uint64(len(desk.story_keys) - 1)
    i = (key >> np.uint64(8)) & mask
    while desk.story_keys[i] != key and desk.story_keys[i] != np.uint64(0):
        i = (i + np.uint64(1)) & mask
    return np.int64(i)


def forget_stories(desk: Desk) -> Desk:
    """Drop stories that are over, with room for twice as many as are left."""
    held = np.flatnonzero((desk.story_keys != 0) & (desk.stories[:, 1] >= desk.control[_CLOCK]))
    size = max(1 << 12, 1 << int(np.ceil(np.log2(len(held) * 4 + 1))))
    fresh = desk._replace(story_keys=np.zeros(size, np.uint64), stories=np.zeros((size, 2)))
    for j in held:
        place = _story(fresh, desk.story_keys[j])
        fresh.story_keys[place] = desk.story_keys[j]
        fresh.stories[place] = desk.stories[j]
    fresh.control[_STORIES] = len(held)
    return fresh


@kernel
def _open_story(desk: Desk, key: np.uint64, seq: int, until: float) -> None:
    if key == 0:
        return
    place = _story(desk, key)
    if desk.story_keys[place] == 0:
        desk.story_keys[place] = key
        desk.control[_STORIES] += 1
    desk.stories[place, 0] = seq
    desk.stories[place, 1] = until


@kernel
def _joined(desk: Desk, slot: int, key: np.uint64, time_s: float) -> int:
    """Seq of the open alert that this entity or this address belongs to, or -1."""
    if time_s < desk.entities[slot, _MUTE]:
        return desk.alert_of[slot]
    if key != 0:
        place = _story(desk, key)
        if desk.story_keys[place] == key and time_s < desk.stories[place, 1]:
            return np.int64(desk.stories[place, 0])
    return -1


@kernel
def ring(
    desk: Desk,
    terms: Terms,
    first_seq: int,
    slots: np.ndarray,
    times_s: np.ndarray,
    tails: np.ndarray,
    fresh: np.ndarray,
    absolute: np.ndarray,
    story_keys: np.ndarray,
    accumulated: np.ndarray,
    alert_seq: np.ndarray,
    start: int,
) -> int:
    """Fill `accumulated` (bits) and `alert_seq`: -1, or the seq of the alert an event rings (its own) or joins.

    `tails` is NaN for late events; `fresh` is what adds up; `absolute` marks what always rings;
    `story_keys` is the address where it is unusual for its subject, else 0. Returns the first event not done,
    when stories must be forgotten first.
    """
    for i in range(start, len(slots)):
        if desk.control[_STORIES] * 4 > len(desk.story_keys) * 3:
            return i
        alert_seq[i] = -1
        if np.isnan(tails[i]):
            accumulated[i] = np.nan
            continue
        slot, time_s = slots[i], times_s[i]
        _tick(desk.control, time_s, terms.per_day)
        level = _accumulate(desk.entities[slot], time_s, fresh[i])
        accumulated[i] = level
        if not absolute[i] and (level < desk.control[_TAU] or tails[i] < LEAST_BITS):
            continue
        seq = _joined(desk, slot, story_keys[i], time_s)
        if seq < 0:
            if not absolute[i]:
                if desk.control[_TOKENS] < 1.0:
                    continue
                desk.control[_TOKENS] -= 1.0
                desk.control[_TAU] += _STEP
            seq = first_seq + i
            _open_story(desk, story_keys[i], seq, time_s + terms.story_s)
        if time_s >= desk.entities[slot, _MUTE]:
            desk.entities[slot, _MUTE] = time_s + terms.mute_s
            desk.alert_of[slot] = seq
        desk.entities[slot, _ACC] = 0.0
        alert_seq[i] = seq
    return len(slots)
