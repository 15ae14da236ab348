from __future__ import annotations

import numpy as np
import pytest

from tocsin.drill.baselines import BASELINES, flagged, z_scores
from tocsin.drill.features import Features, hour_distance, read_features

ROWS_A_DAY = 24
DAYS = 20


def steady(**changes):
    """Two entities, an event each every two hours, for twenty days."""
    rows = ROWS_A_DAY * DAYS
    columns = {
        "files": tuple(f"2026-03-{day + 1:02d}.jsonl.gz" for day in range(DAYS)),
        "first_row": np.arange(DAYS + 1) * ROWS_A_DAY,
        "entity": np.arange(rows) % 2,
        "day": np.arange(rows) // ROWS_A_DAY,
        "hour": np.arange(rows) % ROWS_A_DAY / 1.0,
        "log_bytes": np.random.default_rng(1).normal(8, 1, rows),
        "count_in_hour": np.zeros(rows),
        "new_address": np.zeros(rows),
    }
    return Features(**(columns | changes))


@pytest.mark.parametrize("name", BASELINES)
def test_a_wild_event_scores_highest(name):
    features = steady()
    wild = 15 * ROWS_A_DAY + 3
    features.log_bytes[wild] = 40.0
    features.new_address[wild] = 1.0
    assert np.argmax(BASELINES[name](features)) == wild


@pytest.mark.parametrize("name", BASELINES)
def test_the_future_changes_no_earlier_score(name):
    features, other = steady(), steady()
    other.log_bytes[16 * ROWS_A_DAY :] += 5.0
    until = 16 * ROWS_A_DAY
    np.testing.assert_array_equal(BASELINES[name](features)[:until], BASELINES[name](other)[:until])


@pytest.mark.parametrize("name", BASELINES)
def test_the_quiet_days_are_not_scored(name):
    scores = BASELINES[name](steady())
    assert np.isneginf(scores[: 14 * ROWS_A_DAY]).all()
    assert np.isfinite(scores[14 * ROWS_A_DAY :]).all()


@pytest.mark.parametrize(("a_day", "alerts"), [(0.0, 0), (0.5, 3), (1.0, 6), (2.0, 12)])
def test_the_quota_is_met_over_the_days(a_day, alerts):
    features = steady()
    assert len(list(flagged(features, z_scores(features), a_day))) == alerts


def test_flagged_rows_are_their_entitys_highest_of_the_day():
    features = steady()
    scores = z_scores(features)
    for day, entity, rows in flagged(features, scores, 1.0):
        assert (features.entity[rows] == entity).all()
        assert (features.day[rows] == day).all()
        assert scores[rows].max() == scores[features.day == day].max()


def test_hours_are_a_circle():
    np.testing.assert_allclose(hour_distance(np.array([23.0, 1.0, 12.0]), np.array([1.0, 23.0, 0.0])), [2, 2, 12])


def test_features_are_causal_and_aligned_with_the_files(small_town, read_lines):
    out, report = small_town
    features = read_features(out)
    assert features.first_row[-1] == report.events
    seen: set[tuple[str, str]] = set()
    row = 0
    for file in features.files:
        for line, event in enumerate(read_lines(out, f"events/{file}"), 1):
            pair = (event["subject"], event["origin"]["address"])
            assert features.new_address[row] == (pair not in seen)
            assert features.row(file, line) == row
            seen.add(pair)
            row += 1


def test_the_hour_counts_itself_and_what_came_before(small_town):
    out, _ = small_town
    features = read_features(out)
    time_h = features.day * 24.0 + features.hour
    for row in range(0, len(features.entity), 997):
        same = (features.entity == features.entity[row]) & (time_h <= time_h[row]) & (time_h > time_h[row] - 1)
        assert features.count_in_hour[row] == pytest.approx(np.log(same.sum()), abs=1e-9)
