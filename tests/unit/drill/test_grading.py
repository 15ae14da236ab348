from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow.parquet as pq
import pytest

from tocsin.drill import STORY_HEADER, grade, grade_alerts
from tocsin.drill.grade import kinds_caught
from tocsin.errors import SourceError
from tocsin.record import Alert, Finding
from tocsin.store import Home


def finding(alert, row, n=0):
    return Finding(
        id=f"F-{alert}-{n}", seq=n, time=row["time"], entity=row["subject"], kind="api", action="x", resource=None,
        address=None, surprise_bits=9.0, tail_bits=9.0, accumulated_bits=9.0, reasons=(),
        source_file=f"elsewhere/{row['source_file']}", source_line=row["source_line"], alert_id=alert,
    )  # fmt: skip


def alert(name, time, *, absolute=False):
    return Alert(
        id=name, severity="low", title="made up", entities=("user:x",), first_time=time, last_time=time, findings=1,
        tail_bits=9.0, reasons=(), absolute=absolute,
    )  # fmt: skip


@pytest.fixture(scope="module")
def truth(small_town):
    out, _ = small_town
    return pq.read_table(out / "truth.parquet").to_pylist()


@pytest.fixture(scope="module")
def graded(small_town, truth):
    out, _ = small_town
    admin = [row for row in truth if row["story"] == "admin-at-night-1"]
    tidy = next(row for row in truth if row["role"] == "tidy")
    day_16 = datetime(2026, 2, 20, 12, tzinfo=UTC)
    alerts = [alert("A-hit", admin[4]["time"]), alert("A-tidy", tidy["time"]), alert("A-noise", day_16, absolute=True)]
    alerts.append(alert("A-early", day_16 - timedelta(days=10)))
    findings = [finding("A-hit", admin[4], 1), finding("A-hit", admin[2], 2), finding("A-tidy", tidy, 3)]
    return grade_alerts(out, alerts, findings, asked_a_day=2.0), admin


def story(grade, name):
    return next(s for s in grade.stories if s.id == name)


def test_a_story_is_caught_by_its_earliest_finding(graded):
    grade, admin = graded
    told = story(grade, "admin-at-night-1")
    assert told.caught
    assert told.alert == "A-hit"
    assert told.events_too_late == 2
    assert told.minutes_late == pytest.approx((admin[2]["time"] - admin[0]["time"]).total_seconds() / 60, abs=0.01)
    assert told.subject == admin[0]["subject"]


def test_a_story_without_a_finding_on_harm_is_missed(graded):
    grade, _ = graded
    told = story(grade, "bulk-export-1")
    assert not told.caught
    assert told.events_too_late == told.harmful
    assert told.minutes_late is None
    assert grade.caught == 1


def test_one_of_two_stories_catches_the_kind(graded):
    grade, _ = graded
    assert grade.kinds == ("admin-at-night",)
    assert grade.kinds_in_all == 5


def test_alerts_without_harm_are_false_and_the_quiet_days_do_not_count(graded):
    grade, _ = graded
    assert grade.false_alerts_a_day == pytest.approx(2 / 6, abs=0.001)
    assert grade.alerts_a_day == pytest.approx(3 / 6, abs=0.001)
    assert grade.alerts == sum(grade.daily) == 4
    assert grade.absolute_alerts == 1


def test_simple_methods_ring_as_often(graded):
    grade, _ = graded
    assert [simple.name for simple in grade.baselines] == ["z-score", "isolation forest"]
    assert all(simple.alerts == 3 for simple in grade.baselines)


def test_it_reads_as_rows_and_as_json(graded):
    grade, _ = graded
    header, *rows = grade.rows()
    assert header == STORY_HEADER
    assert len(rows) == 10
    assert all(len(row) == len(header) for row in rows)
    assert dict(grade.summary())["stories caught"] == "1 of 10"
    told = msgspec.json.decode(grade.to_json())
    assert told["caught"] == 1
    assert told["too_easy"] is False


def test_a_home_is_graded_like_the_records_it_holds(small_town, truth, tmp_path):
    out, _ = small_town
    row = next(row for row in truth if row["story"] == "leaked-key-1")
    alerts, findings = [alert("A-KEY", row["time"])], [finding("A-KEY", row)]
    with Home.open(tmp_path / "home", writer=True) as home:
        home.records.put_alerts(alerts)
        home.records.put_findings(findings)
    assert grade(out, tmp_path / "home") == grade_alerts(out, alerts, findings)


def test_the_truth_file_may_be_named_itself(small_town):
    out, _ = small_town
    assert grade_alerts(out / "truth.parquet", [], []).caught == 0


def test_no_alerts_at_all_catch_nothing(small_town):
    out, _ = small_town
    grade = grade_alerts(out, [], [])
    assert grade.caught == 0
    assert grade.alerts_a_day == 0
    assert all(simple.stories == 0 for simple in grade.baselines)


@pytest.mark.parametrize("content", [None, b"", b"not parquet"])
def test_what_is_no_truth_is_refused_with_a_hint(tmp_path, content):
    if content is not None:
        (tmp_path / "truth.parquet").write_bytes(content)
    with pytest.raises(SourceError) as told:
        grade_alerts(tmp_path, [], [])
    assert told.value.hint


def test_truth_without_events_is_refused(small_town, tmp_path):
    out, _ = small_town
    (tmp_path / "truth.parquet").write_bytes((out / "truth.parquet").read_bytes())
    with pytest.raises(SourceError, match="no events"):
        grade_alerts(tmp_path, [], [])


def test_windows_are_fourteen_days_after_the_quiet_ones(wide_town):
    out, _ = wide_town
    start = datetime(2026, 2, 4, 12, tzinfo=UTC)
    alerts = [alert(f"A-{day}", start + timedelta(days=day)) for day in range(40)]
    alerts += [alert(f"B-{day}", start + timedelta(days=day), absolute=True) for day in range(40)]
    grade = grade_alerts(out, alerts, [])
    assert [w.first_day for w in grade.windows] == list(range(14, 27))
    assert all(w.alerts_a_day == 1.0 for w in grade.windows)
    assert grade.alerts_a_day == 2.0


def test_half_of_the_stories_make_the_kind():
    kind_of = {"a-1": "a", "a-2": "a", "b-1": "b", "b-2": "b", "b-3": "b"}
    caught = {"a-1": True, "a-2": False, "b-1": True, "b-2": False, "b-3": False}
    assert kinds_caught(caught, kind_of) == ("a",)
