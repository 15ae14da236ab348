"""Whatever the seed and size: a town is built, its truth points at its events, and it starts anew the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.drill import build
from tocsin.drill.columns import mix
from tocsin.drill.features import hour_distance, read_features
from tocsin.drill.stories import KINDS

ANY_INT = st.integers(-(2**62), 2**62)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), days=st.integers(20, 30), people=st.integers(30, 80), migration=st.booleans())
def test_any_town_holds_together(seed, days, people, migration):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        report = build(out, seed=seed, days=days, people=people, migration_day=days // 2 if migration else None)
        truth = pq.read_table(out / "truth.parquet").to_pylist()
        features = read_features(out)
        assert features.first_row[-1] == report.events
        assert len(features.files) == days
        assert {story.kind for story in report.stories} <= set(KINDS)
        assert sum(row["first_harmful"] for row in truth) == len(report.stories)
        assert msgspec.json.decode((out / "stories.json").read_bytes()) == msgspec.to_builtins(list(report.stories))
        places = [(row["source_file"], row["source_line"]) for row in truth]
        assert len(set(places)) == len(places)
        assert all(1 <= line <= np.diff(features.first_row)[_day(features, file)] for file, line in places)


def _day(features, file):
    return features.files.index(Path(file).name)


@given(st.lists(ANY_INT, min_size=1, max_size=4))
def test_mixing_is_the_same_for_one_and_for_many(parts):
    alone = int(mix(*parts))
    together = mix(*[np.array([part, part + 1]) for part in parts])
    assert 0 <= alone < 2**62
    assert together[0] == alone
    assert together[1] != alone


@given(st.floats(0, 24), st.floats(0, 24))
def test_hours_apart_are_symmetric_and_at_most_twelve(one, other):
    there, back = (float(hour_distance(np.array([a]), np.array([b]))[0]) for a, b in ((one, other), (other, one)))
    assert there == back
    assert 0 <= there <= 12
