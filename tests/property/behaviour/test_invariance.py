"""What must never change a score: how events are cut into batches, a snapshot in the middle, who is in memory."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.behaviour.layout import F_LOG_SIZE, F_USED
from tocsin.behaviour.registry import find_slots


@pytest.mark.parametrize("seed", [1, 2])
def test_batch_size_never_changes_a_score(street, seed):
    events = street.events(3_000, seed)
    once = street.told(street.model(), events, 3_000)
    assert np.isfinite(once[:, 0]).mean() > 0.9
    for step in (1, 7, 1_000):
        np.testing.assert_array_equal(street.told(street.model(), events, step), once)


def test_a_snapshot_in_the_middle_never_changes_a_score(street):
    events = street.events(3_000, 3)
    whole = street.told(street.model(), events, 500)
    before, after = street.model(), street.model()
    street.told(before, street.cut(events, 0, 1_500), 500)
    after.restore({name: array.copy() for name, array in before.arrays().items()})
    np.testing.assert_array_equal(street.told(after, street.cut(events, 1_500, 3_000), 500, 1_500), whole[1_500:])


@pytest.mark.parametrize("step", [3, 40])
def test_who_is_in_memory_never_changes_a_score(street, tmp_path, step):
    events = street.events(1_500, 4, subjects=150)
    unlimited = street.told(street.model(), events, 400)
    few = street.model(tmp_path / "cold", max_entities=50)
    np.testing.assert_array_equal(street.told(few, events, step), unlimited)
    assert len(list((tmp_path / "cold").glob("run-*"))) > 1
    assert int(few.ents.meta[0]) < 50 + step
    everyone = street.model()
    street.told(everyone, events, 400)
    assert few.population == everyone.population


def test_a_crash_between_snapshots_goes_back_to_the_runs_of_the_snapshot(street, tmp_path):
    events = street.events(3_000, 5, subjects=200)
    unlimited = street.told(street.model(), events, 100)
    first = street.model(tmp_path / "cold", max_entities=40)
    street.told(first, street.cut(events, 0, 1_000), 100)
    older = {name: array.copy() for name, array in first.arrays().items()}
    street.told(first, street.cut(events, 1_000, 1_500), 100, 1_000)
    newer = {name: array.copy() for name, array in first.arrays().items()}
    street.told(first, street.cut(events, 1_500, 2_000), 100, 1_500)
    for arrays, start in ((newer, 1_500), (older, 1_000)):
        again = street.model(tmp_path / "cold", max_entities=40)
        again.restore(arrays)
        np.testing.assert_array_equal(
            street.told(again, street.cut(events, start, 3_000), 100, start), unlimited[start:]
        )


def test_idle_profiles_are_found_again_by_name(street, tmp_path):
    events = street.events(2_000, 6, subjects=200)
    model = street.model(tmp_path / "cold", max_entities=30)
    street.told(model, events, 50)
    slots = np.empty(len(events.subject), np.int32)
    assert find_slots(model.ents, events.subject, slots)
    known = model.population
    model.recall(events.subject)
    assert not find_slots(model.ents, events.subject, slots)
    assert model.population == known


def test_bounded_tables_forget_by_content_only(street):
    events = street.events(2_000, 7, subjects=300)

    def small():
        model = street.model()
        model.limits = model.limits._replace(most_uses=150, most_rates=200)
        return model

    once, again = small(), small()
    np.testing.assert_array_equal(street.told(once, events, 2_000), street.told(again, events, 13))
    assert int(once.rates.meta[0]) <= 200
    assert int(once.parents.meta[0]) <= 150 + 2 * 9


def test_an_entity_holds_no_more_values_than_it_may(street):
    events = street.events(4_000, 8, subjects=3)
    model = street.model(max_values=32)
    once = street.told(model, events, 4_000)
    assert int(model.ents.facts[:, F_USED].max()) <= 32
    assert int(model.ents.facts[:, F_LOG_SIZE].max()) <= 5
    np.testing.assert_array_equal(street.told(street.model(max_values=32), events, 11), once)
