"""Score and learn: events a second of one core, and bytes an entity, over made-up entities with habits.

    python bench/kernel.py [--events 10e6] [--entities 100e3]

Every entity keeps 3 actions, 6 resources, 2 counterparties, 2 addresses (in one network of 300), 1 agent and 1 device
for good, and its own usual size; 2 events in 100 bring something it never did before
(a resource of another's, or an address of another network). Entities act equally often, in no order, so that next to
nothing of a profile is found in the processor's caches: the hard case. Peers are handed features for nothing, which
favours them. Time is that of `Model.observe` alone, batches
of 65,536, as CPU time of this process; bytes are those of every array allocated, divided by entities.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
from river.anomaly import HalfSpaceTrees
from sklearn.ensemble import IsolationForest

from tocsin.behaviour.columns import Encoded
from tocsin.behaviour.features import CATEGORICAL
from tocsin.behaviour.model import Model
from tocsin.config import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 65_536
START_S = 1_700_000_000 // 86_400 * 86_400.0
DAYS = 30
NOVEL = 0.02
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ONE = np.uint64(1)


def hashed(salt: int, *numbers: np.ndarray) -> np.ndarray:
    """Made-up keyed hashes: one per tuple of numbers, never 0."""
    h = np.full(len(numbers[0]), salt, np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    for n in numbers:
        h = (h ^ n.astype(np.uint64)) * GOLDEN
        h ^= h >> np.uint64(31)
    return h | ONE


def made_up(m: int, entities: int, start_s: float, span_s: float, rng: np.random.Generator) -> Encoded:
    """One batch in time order."""
    who = rng.integers(0, entities, m)
    times = np.sort(rng.uniform(start_s, start_s + span_s, m))
    novel = rng.random(m) < NOVEL
    habit = np.where(novel & (rng.random(m) < 0.5), rng.integers(0, entities, m), who)
    place = np.where(novel & (habit == who), rng.integers(0, entities, m), who)
    values = np.zeros((m, CATEGORICAL), np.uint64)
    values[:, 0] = hashed(1, (who + rng.integers(0, 3, m)) % 40)
    values[:, 1] = hashed(2, (habit * 7 + rng.integers(0, 6, m)) % 20_000)
    values[:, 2] = hashed(3, (who * 11 + rng.integers(0, 2, m)) % 5_000)
    values[:, 3] = hashed(4, place, rng.integers(0, 2, m))
    values[:, 4] = hashed(5, place)
    values[:, 5] = hashed(6, place % 300)
    values[:, 6] = hashed(7, place % 30)
    values[:, 7] = hashed(8, who % 40)
    values[:, 8] = hashed(9, who)
    seconds = times.astype(np.int64)
    sizes = np.full((m, 3), np.nan, np.float32)
    sizes[:, 0] = 8 + who % 10 + rng.normal(0, 1.5, m)
    subject = hashed(10, who)
    return Encoded(
        subject=subject,
        times_s=times,
        hour=(seconds // 3_600).astype(np.int32),
        half=(seconds // 1_800 % 48).astype(np.int8),
        weekday=((seconds // 86_400 + 3) % 7).astype(np.int8),
        kind=np.ones(m, np.int8),
        flags=np.zeros(m, np.uint8),
        values=values,
        sizes=sizes,
        quantity=np.exp2(sizes[:, 0]),
        rate_keys=np.stack([hashed(11, subject), hashed(12, subject, values[:, 2]), hashed(13, values[:, 2])], axis=1),
    )


def batches(events: int, entities: int, seed: int) -> Iterator[Encoded]:
    rng = np.random.default_rng(seed)
    count = max(events // BATCH, 1)
    span = DAYS * 86_400 / count
    for k in range(count):
        yield made_up(BATCH, entities, START_S + k * span, span, rng)


def ready_made(batch: Encoded) -> np.ndarray:
    """What a peer is handed for nothing: nine flags of seen or not, hour, day, size, in 0 to 1."""
    rng = np.random.default_rng(5)
    flags = rng.random((len(batch.hour), CATEGORICAL)) < NOVEL
    return np.column_stack([flags, batch.half / 48, batch.weekday / 7, np.clip(batch.sizes[:, 0] / 32, 0, 1)])


def half_space_trees(batch: Encoded, events: int = 10_000) -> float:
    trees = HalfSpaceTrees(seed=1)
    rows = [{k: float(v) for k, v in enumerate(row)} for row in ready_made(batch)[:events]]
    begun = time.process_time()
    for row in rows:
        trees.score_one(row)
        trees.learn_one(row)
    return events / (time.process_time() - begun)


def isolation_forest(batch: Encoded, events: int = 300) -> float:
    table = ready_made(batch)
    forest = IsolationForest(n_estimators=100, random_state=1).fit(table[:2_000])
    begun = time.process_time()
    for i in range(events):
        forest.score_samples(table[i : i + 1])
    return events / (time.process_time() - begun)


def observed(events: int, entities: int) -> tuple[Model, float, float]:
    """The model after so many events, its events a second over all of them, and over the last third."""
    model = Model(Settings())
    spent: list[float] = []
    for k, batch in enumerate(batches(events, entities, 1)):
        begun = time.process_time()
        model.observe(batch, k * BATCH)
        spent.append(time.process_time() - begun)
    late = spent[-max(len(spent) // 3, 1) :]
    return model, BATCH * len(spent) / sum(spent), BATCH * len(late) / sum(late)


def one_at_a_time(model: Model, entities: int, events: int = 20_000) -> np.ndarray:
    """Microseconds of wall time of `observe` for a batch of one."""
    batch = made_up(events, entities, START_S + DAYS * 86_400, 3_600, np.random.default_rng(2))
    ones = [Encoded(*(column[i : i + 1] for column in batch)) for i in range(events)]
    took = np.empty(events)
    for i, one in enumerate(ones):
        begun = time.perf_counter_ns()
        model.observe(one, i)
        took[i] = (time.perf_counter_ns() - begun) / 1e3
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, default=10e6)
    parser.add_argument("--entities", type=float, default=100e3)
    told = parser.parse_args()
    events, entities = int(told.events), int(told.entities)
    sample = made_up(BATCH, entities, START_S, 3_600, np.random.default_rng(0))
    Model(Settings()).observe(sample, 0)
    model, whole, last = observed(events, entities)
    arrays = model.arrays()
    known = model.population
    bytes_each = sum(a.nbytes for a in arrays.values()) / known
    took = one_at_a_time(model, entities)
    trees = half_space_trees(sample)
    print(f"{'what':<58}{'figure':>14}")
    print(f"{f'tocsin, {events:,} events, {known:,} entities, events/s':<58}{whole:>14,.0f}")
    print(f"{'tocsin, last third of them, events/s':<58}{last:>14,.0f}")
    print(f"{'tocsin, bytes an entity, all arrays as allocated':<58}{bytes_each:>14,.0f}")
    for part in ("ents", "parents", "calib", "rates", "desk"):
        share = sum(a.nbytes for name, a in arrays.items() if name.startswith(part)) / known
        print(f"{'  of which ' + part:<58}{share:>14,.0f}")
    print(f"{'tocsin, one event, us, median':<58}{np.median(took):>14.1f}")
    print(f"{'tocsin, one event, us, p99.9':<58}{np.percentile(took, 99.9):>14.1f}")
    print(f"{'River half-space trees, ready-made features, events/s':<58}{trees:>14,.0f}")
    print(f"{'isolation forest, one at a time, ready-made, events/s':<58}{isolation_forest(sample):>14,.0f}")
    print(f"{'tocsin over half-space trees':<58}{whole / trees:>14.1f}")


if __name__ == "__main__":
    main()
