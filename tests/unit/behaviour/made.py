"""A made-up office, as numbers: people with hours, a network, a device and things they do."""

from __future__ import annotations

import numpy as np

from tocsin.behaviour import features as f
from tocsin.behaviour.cells import find_cell
from tocsin.behaviour.columns import Encoded
from tocsin.behaviour.layout import CELL_N
from tocsin.behaviour.registry import find_slots
from tocsin.behaviour.values import cell_key

MONDAY_S = 1_699_833_600.0
DAY_S, HOUR_S = 86_400.0, 3_600.0
PEOPLE, DAYS = 60, 28
API = 1


def hashed(*numbers):
    """One made-up keyed hash for each row of numbers; never 0."""
    numbers = np.broadcast_arrays(*(np.atleast_1d(n) for n in numbers))
    h = np.full(numbers[0].shape, 88, np.uint64)
    for n in numbers:
        h = (h ^ n.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(32)
    return h | np.uint64(1)


def events(who, times_s, *, action=0, resource=None, place=None, host=0, device=None, size=None, kind=API):  # noqa: PLR0913 - what an event says
    """Events of subjects `who`; what is not said of place or device is what they always use."""
    times = np.atleast_1d(np.asarray(times_s, np.float64))
    who = np.broadcast_to(np.asarray(who, np.int64), times.shape)
    m, one = len(times), np.ones(len(times), np.int64)
    place = who // 10 if place is None else np.broadcast_to(place, times.shape)
    values = np.zeros((m, f.CATEGORICAL), np.uint64)
    values[:, f.ACTION] = hashed(1, one * action)
    if resource is not None:
        values[:, f.RESOURCE] = hashed(2, one * resource)
    values[:, f.ADDRESS] = hashed(f.ADDRESS, place, host)
    for feature in (f.SUBNET, f.NETWORK):
        values[:, feature] = hashed(feature, place)
    values[:, f.DEVICE] = hashed(8, who if device is None else one * device)
    seconds = times.astype(np.int64)
    sizes = np.full((m, 3), np.nan, np.float32)
    if size is not None:
        sizes[:, 0] = size
    subject = hashed(10, who)
    return Encoded(
        subject=subject,
        times_s=times,
        hour=(seconds // 3_600).astype(np.int32),
        half=(seconds // 1_800 % 48).astype(np.int8),
        weekday=((seconds // 86_400 + 3) % 7).astype(np.int8),
        kind=np.full(m, kind, np.int8),
        flags=np.zeros(m, np.uint8),
        values=values,
        sizes=sizes,
        quantity=np.exp2(sizes[:, 0]),
        rate_keys=np.stack([hashed(11, subject), hashed(12, subject, values[:, 0]), values[:, 1]], axis=1),
    )


def joined(*batches):
    """Several batches as one, in the order of time."""
    columns = [np.concatenate(column) for column in zip(*batches, strict=True)]
    order = np.argsort(columns[1], kind="stable")
    return Encoded(*(np.ascontiguousarray(column[order]) for column in columns))


def working_days(days, people=PEOPLE, seed=5, first_day=0, who=None):
    """Two events in each of eight hours of every working day, now and then of something new."""
    rng = np.random.default_rng(seed)
    day, hour, person, _ = np.meshgrid(
        [d for d in range(first_day, first_day + days) if d % 7 < 5],
        range(8, 16),
        range(people) if who is None else who,
        range(2),
        indexing="ij",
    )
    person = person.ravel()
    m = len(person)
    times = MONDAY_S + day.ravel() * DAY_S + hour.ravel() * HOUR_S + np.floor(rng.uniform(0, 3_600, m))
    novel = rng.random(m) < 0.02
    batch = events(
        person,
        times,
        action=(person + rng.integers(0, 3, m)) % 8,
        resource=np.where(novel, rng.integers(1_000, 9_000, m), person * 3 + rng.integers(0, 3, m)),
        place=np.where(rng.random(m) < 0.01, rng.integers(100, 130, m), person // 10),
        host=rng.integers(0, 60, m),
        size=rng.normal(12, 1.5, m),
    )
    return joined(batch)


def units(model, who, feature, *value):
    """Units that a subject has of the value made of these numbers; NaN where it holds none."""
    slots = np.empty(1, np.int32)
    if find_slots(model.ents, hashed(10, who), slots):
        return np.nan
    cells, key = model.ents.cells, np.uint64(cell_key(hashed(*value)[0], feature))
    place = find_cell(cells, model.ents.facts, int(slots[0]), key)
    return float(cells.view(np.float32)[place, CELL_N]) if place >= 0 else np.nan


def row_of(model, who):
    slots = np.empty(1, np.int32)
    find_slots(model.ents, hashed(10, who), slots)
    return model.ents.rows[slots[0]]
