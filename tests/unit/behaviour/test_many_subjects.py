"""Far more subjects than may be held: memory stays bounded and nobody's score changes."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from tocsin.behaviour.model import Model
from tocsin.config import BehaviourSettings, Settings

from . import made

BATCH = 20_000
RESIDENT = BehaviourSettings(max_entities=20_000)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def passing_by(k, returning=()):
    """A batch of subjects that nobody met before, and some who come back."""
    who = np.concatenate([np.arange(k * BATCH, (k + 1) * BATCH), np.asarray(returning, np.int64)])
    rng = np.random.default_rng(k)
    times = made.MONDAY_S + k * 1_800 + np.sort(rng.uniform(0, 1_800, len(who)))
    return made.events(
        rng.permutation(who),
        times,
        action=rng.integers(0, 5, len(who)),
        resource=rng.integers(0, 500, len(who)),
        place=rng.integers(0, 300, len(who)),
        host=rng.integers(0, 200, len(who)),
        size=rng.normal(12, 2, len(who)),
    )


@pytest.mark.heavy
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_a_million_subjects_fit_where_twenty_thousand_do(tmp_path):
    model = Model(Settings(behaviour=RESIDENT), tmp_path / "cold")
    held = []
    for k in range(50):
        model.observe(passing_by(k), k * BATCH)
        held.append(resident_bytes() / 2**20)
    assert model.population == 1_000_000
    assert int(model.ents.meta[0]) <= 2 * BATCH
    assert held[-1] - held[9] < 250, "the tables of rates and uses have a bound of their own"
    assert len(list((tmp_path / "cold").glob("run-*"))) < 20


@pytest.mark.heavy
def test_those_who_return_are_scored_as_if_they_had_stayed(tmp_path):
    bounded, unbounded = Model(Settings(behaviour=RESIDENT), tmp_path / "cold"), Model(Settings())
    rng = np.random.default_rng(0)
    for k in range(6):
        batch = passing_by(k, rng.choice(k * BATCH, 500, replace=False) if k else ())
        few, all_of_them = bounded.observe(batch, k * 2 * BATCH), unbounded.observe(batch, k * 2 * BATCH)
        np.testing.assert_array_equal(few.out.tail, all_of_them.out.tail)
        np.testing.assert_array_equal(few.accumulated, all_of_them.accumulated)
        np.testing.assert_array_equal(few.alert_seq, all_of_them.alert_seq)
    assert int(bounded.ents.meta[0]) < int(unbounded.ents.meta[0]) / 2
