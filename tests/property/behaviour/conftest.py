"""A street of made-up entities: habits, novelties, floods, gaps, late events, of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tocsin.behaviour.columns import Encoded
from tocsin.behaviour.features import CATEGORICAL
from tocsin.behaviour.model import Model
from tocsin.config import BehaviourSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_S = 1_700_000_000 // 86_400 * 86_400.0


def hashed(*numbers: np.ndarray) -> np.ndarray:
    h = np.full(len(numbers[0]), 88, np.uint64)
    for n in numbers:
        h = (h ^ np.asarray(n).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(32)
    return h | np.uint64(1)


def walked(rng: np.random.Generator, m: int, days: float) -> np.ndarray:
    """Times in order but for some: waits of minutes, floods, gaps of hours, now and then a step back."""
    gaps = rng.exponential(1.0, m) * rng.choice([0.02, 1.0, 1.0, 40.0], m)
    times = START_S + np.cumsum(gaps) / gaps.sum() * days * 86_400
    back = rng.random(m) < 0.03
    return np.floor(times - back * rng.uniform(0, 9_000, m))


def on_the_street(m: int, seed: int, subjects: int = 25, days: float = 12.0, first_s: float = 0.0) -> Encoded:
    rng = np.random.default_rng(seed)
    who = np.minimum(rng.geometric(3.0 / subjects, m), subjects)
    who[m // 2 : m // 2 + m // 30] = 3
    one = np.ones(m, np.int64)
    novel = rng.random(m) < 0.05
    other = np.where(novel, rng.integers(1, 10_000, m), who)
    values = np.zeros((m, CATEGORICAL), np.uint64)
    values[:, 0] = hashed(one * 1, (who + rng.integers(0, 3, m)) % 6)
    values[:, 1] = hashed(one * 2, other % 50, rng.integers(0, 4, m))
    values[:, 2] = hashed(one * 3, who % 7) * (rng.random(m) < 0.5)
    place = np.where(rng.random(m) < 0.04, rng.integers(1, 60, m), who)
    for feature, wide in ((3, 1), (4, 2), (5, 5), (6, 12)):
        values[:, feature] = hashed(one * feature, place // wide) * (rng.random(m) < 0.9)
    values[:, 7] = hashed(one * 7, who % 4)
    values[:, 8] = hashed(one * 8, other) * (rng.random(m) < 0.7)
    times = walked(rng, m, days) + first_s
    seconds = times.astype(np.int64)
    sizes = rng.normal(10 + who[:, None] % 5, 1.5, (m, 3)).astype(np.float32)
    sizes[rng.random((m, 3)) < 0.5] = np.nan
    sizes[rng.random((m, 3)) < 0.02] = 30.0
    subject = hashed(one * 10, who)
    return Encoded(
        subject=subject,
        times_s=times,
        hour=(seconds // 3_600).astype(np.int32),
        half=(seconds // 1_800 % 48).astype(np.int8),
        weekday=((seconds // 86_400 + 3) % 7).astype(np.int8),
        kind=(who % 6).astype(np.int8),
        flags=(rng.random(m) < 0.01).astype(np.uint8),
        values=values,
        sizes=sizes,
        quantity=np.exp2(np.where(np.isnan(sizes[:, 0]), sizes[:, 1], sizes[:, 0])).astype(np.float32),
        rate_keys=np.stack([hashed(one, subject), hashed(one, subject, values[:, 0]), values[:, 1]], axis=1),
    )


def cut(batch: Encoded, start: int, stop: int) -> Encoded:
    return Encoded(*(column[start:stop] for column in batch))


def told(model: Model, batch: Encoded, step: int, first: int = 0) -> np.ndarray:
    """Every figure of every event, observed `step` at a time."""
    parts = []
    for start in range(0, len(batch.hour), step):
        seen = model.observe(cut(batch, start, start + step), first + start)
        columns = (seen.out.surprise, seen.out.tail, seen.accumulated, seen.alert_seq, seen.absolute, seen.late)
        parts.append(np.column_stack([*columns, np.where(np.isnan(seen.out.tail)[:, None], 0, seen.out.x)]))
    return np.concatenate(parts)


class Street:
    """What the tests of this room share."""

    events = staticmethod(on_the_street)
    cut = staticmethod(cut)
    told = staticmethod(told)

    @staticmethod
    def model(cold: Path | None = None, **behaviour: float) -> Model:
        return Model(Settings(behaviour=BehaviourSettings(**behaviour)), cold)


@pytest.fixture(scope="session")
def street() -> Callable[..., Street]:
    return Street()
