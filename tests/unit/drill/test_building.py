from __future__ import annotations

import hashlib
import time

import msgspec
import pyarrow.parquet as pq
import pytest

from tocsin.drill import build
from tocsin.errors import UsageError
from tocsin.event import Event


def digests(out):
    return {str(f.relative_to(out)): hashlib.sha256(f.read_bytes()).hexdigest() for f in out.rglob("*") if f.is_file()}


def test_same_seed_same_bytes(small_town, tmp_path):
    out, _ = small_town
    build(tmp_path / "again", seed=3, days=20, people=50)
    assert digests(tmp_path / "again") == digests(out)


def test_another_seed_differs_in_every_file(small_town, tmp_path):
    out, _ = small_town
    build(tmp_path / "other", seed=4, days=20, people=50)
    ours, theirs = digests(out), digests(tmp_path / "other")
    assert ours.keys() == theirs.keys()
    assert all(ours[name] != theirs[name] for name in ours)


def test_a_small_town_takes_a_second(tmp_path):
    began = time.perf_counter()
    build(tmp_path / "town", seed=1, days=20, people=50)
    assert time.perf_counter() - began < 2.0  # a second, and as much again for a busy machine


def test_every_line_is_a_tocsin_event_in_order_within_its_day(small_town, read_lines):
    out, report = small_town
    read = 0
    for file in sorted((out / "events").iterdir()):
        rows = read_lines(out, f"events/{file.name}")
        events = [msgspec.convert(row, Event) for row in rows]
        assert [e.time for e in events] == sorted(e.time for e in events)
        assert {e.time.date().isoformat() for e in events} == {file.name.partition(".")[0]}
        assert all(row.keys() <= set(Event.__struct_fields__) for row in rows)
        read += len(events)
    assert read == report.events


def test_truth_points_at_the_lines_of_its_subjects(small_town, read_lines):
    out, report = small_town
    truth = pq.read_table(out / "truth.parquet").to_pylist()
    files = {name: read_lines(out, name) for name in {row["source_file"] for row in truth}}
    for row in truth:
        event = msgspec.convert(files[row["source_file"]][row["source_line"] - 1], Event)
        assert (event.subject, event.time) == (row["subject"], row["time"])
    assert sum(row["harmful"] for row in truth) == report.harmful


def test_each_story_has_one_first_harmful_event_and_it_is_the_earliest(wide_town):
    out, report = wide_town
    truth = pq.read_table(out / "truth.parquet").to_pylist()
    for story in report.stories:
        harmful = [row for row in truth if row["story"] == story.id and row["harmful"]]
        (first,) = (row for row in harmful if row["first_harmful"])
        assert first["time"] == min(row["time"] for row in harmful)
        assert (first["source_file"], first["source_line"]) == (story.first_file, story.first_line)
        assert len(harmful) == story.harmful


def test_all_five_kinds_play_twice_and_none_before_day_14(wide_town):
    _, report = wide_town
    kinds = [story.kind for story in report.stories]
    assert len(kinds) == 10
    assert all(kinds.count(kind) == 2 for kind in kinds)
    assert all(story.first_time >= "2026-02-18" for story in report.stories)


def test_harm_is_a_small_part(wide_town):
    _, report = wide_town
    assert 0 < report.harmful < 0.01 * report.events


@pytest.mark.parametrize(
    "wrong", [{"people": 5}, {"days": 10}, {"seed": -1}, {"migration_day": 99}, {"people": 10_000_000}]
)
def test_towns_that_cannot_be_are_refused_with_a_hint(tmp_path, wrong):
    with pytest.raises(UsageError) as told:
        build(tmp_path, **{"seed": 1, "days": 20, "people": 50} | wrong)
    assert told.value.hint


def test_a_town_is_never_built_over_another(small_town):
    out, _ = small_town
    with pytest.raises(UsageError, match="already holds"):
        build(out, seed=3, days=20, people=50)


def test_progress_counts_the_days(tmp_path):
    seen = []
    build(tmp_path / "town", seed=1, days=20, people=40, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 20) for n in range(1, 21)]
