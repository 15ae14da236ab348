"""Hold a replay's alerts against what really happened, and simple methods beside them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.drill.baselines import BASELINES, flagged
from tocsin.drill.features import Features, read_features
from tocsin.drill.grade import BaselineGrade, Grade, StoryGrade, Window, kinds_caught
from tocsin.drill.stories.programme import QUIET_DAYS
from tocsin.drill.truth import read_truth
from tocsin.store import Home

if TYPE_CHECKING:
    import pyarrow as pa

    from tocsin.record import Alert, Finding

__all__ = ["grade", "grade_alerts"]

_WINDOW_D: Final = 14
_Place = tuple[str, int]
"""Name of a file without its folders, and line: how truth and replay agree whatever folder was replayed."""


class _StoryTruth(msgspec.Struct):
    """The harmful events of one story, in order of time."""

    kind: str
    subject: str
    places: list[_Place]
    times: list[datetime]


def grade(truth: Path, home: Path, *, asked_a_day: float | None = None) -> Grade:
    """Grade the replay of a drill's events that `home` holds; `truth` is the drill's folder or its truth file.

    Needs scikit-learn (the extra `drill`). Raises `SourceError` when the drill is incomplete and
    `StoreError` when the home cannot be read.
    """
    with Home.open(home, writer=False) as opened:
        alerts, findings = opened.records.alerts(), opened.records.findings()
    return grade_alerts(truth, alerts, findings, asked_a_day=asked_a_day)


def grade_alerts(
    truth: Path, alerts: list[Alert], findings: list[Finding], *, asked_a_day: float | None = None
) -> Grade:
    """Grade alerts and their findings, wherever they come from."""
    stories = _stories(read_truth(truth))
    features = read_features(truth if truth.is_dir() else truth.parent)
    daily = _daily(features, alerts)
    scored_days = max(1, len(features.files) - QUIET_DAYS)
    rung = [alert for alert in alerts if _day(features, alert.first_time) >= QUIET_DAYS]
    harmful = {place for story in stories.values() for place in story.places}
    telling = {finding.alert_id for finding in findings if _place(finding) in harmful}
    rate = sum(daily[QUIET_DAYS:]) / scored_days
    beside = {name: _beside(features, stories, name, rate) for name in BASELINES}
    caught_by = {name: caught for name, (_, caught) in beside.items()}
    graded = [_grade_story(name, story, findings, caught_by) for name, story in stories.items()]
    kind_of = {story.id: story.kind for story in graded}
    kinds_in_all = len(set(kind_of.values()))
    return Grade(
        days=len(features.files),
        graded_from_day=QUIET_DAYS,
        stories=tuple(graded),
        kinds=kinds_caught({story.id: story.caught for story in graded}, kind_of),
        kinds_in_all=kinds_in_all,
        alerts=len(alerts),
        absolute_alerts=sum(alert.absolute for alert in alerts),
        false_alerts_a_day=round(sum(alert.id not in telling for alert in rung) / scored_days, 3),
        alerts_a_day=round(rate, 3),
        asked_a_day=asked_a_day,
        daily=tuple(daily),
        windows=_windows(_daily(features, [alert for alert in alerts if not alert.absolute])),
        baselines=tuple(simple for simple, _ in beside.values()),
        caught=sum(story.caught for story in graded),
        too_easy=any(2 * len(simple.kinds) > kinds_in_all for simple, _ in beside.values()),
    )


def _stories(truth: pa.Table) -> dict[str, _StoryTruth]:
    stories: dict[str, _StoryTruth] = {}
    for row in truth.filter(truth["harmful"]).to_pylist():
        story = stories.setdefault(row["story"], _StoryTruth(row["kind"], row["subject"], [], []))
        story.places.append((PurePosixPath(row["source_file"]).name, row["source_line"]))
        story.times.append(row["time"])
    return dict(sorted(stories.items()))


def _place(finding: Finding) -> _Place:
    return PurePosixPath(finding.source_file or "").name, finding.source_line or 0


def _grade_story(name: str, story: _StoryTruth, findings: list[Finding], caught_by: dict[str, set[str]]) -> StoryGrade:
    """Grade one story; a finding on one of its harmful events catches it, so its alert names its subject."""
    nth = {place: n for n, place in enumerate(story.places)}
    first = min((f for f in findings if _place(f) in nth), key=lambda f: nth[_place(f)], default=None)
    passed = len(story.places) if first is None else nth[_place(first)]
    minutes = None if first is None else (story.times[passed] - story.times[0]) / timedelta(minutes=1)
    return StoryGrade(
        id=name,
        kind=story.kind,
        subject=story.subject if first is None else first.entity,
        harmful=len(story.places),
        caught=first is not None,
        events_too_late=passed,
        minutes_late=None if minutes is None else round(minutes, 2),
        alert=None if first is None else first.alert_id,
        caught_by=tuple(sorted(method for method, caught in caught_by.items() if name in caught)),
    )


def _day(features: Features, when: datetime) -> int:
    return (when.astimezone(UTC).date() - date.fromisoformat(features.files[0].partition(".")[0])).days


def _daily(features: Features, alerts: list[Alert]) -> list[int]:
    counts = [0] * len(features.files)
    for alert in alerts:
        day = _day(features, alert.first_time)
        if 0 <= day < len(counts):
            counts[day] += 1
    return counts


def _windows(daily: list[int]) -> tuple[Window, ...]:
    starts = range(QUIET_DAYS, len(daily) - _WINDOW_D + 1)
    return tuple(Window(day, round(sum(daily[day : day + _WINDOW_D]) / _WINDOW_D, 3)) for day in starts)


def _beside(
    features: Features, stories: dict[str, _StoryTruth], name: str, rate: float
) -> tuple[BaselineGrade, set[str]]:
    """Let a simple method ring at the same rate; returns its grade and the stories it caught."""
    story_at = {features.row(*place): story for story, truth in stories.items() for place in truth.places}
    caught: set[str] = set()
    alerts = false_alerts = 0
    for _, _, rows in flagged(features, BASELINES[name](features), rate):
        held = {story_at[row] for row in rows.tolist() if row in story_at}
        caught |= held
        alerts += 1
        false_alerts += not held
    kinds = kinds_caught({story: story in caught for story in stories}, {s: t.kind for s, t in stories.items()})
    scored_days = max(1, len(features.files) - QUIET_DAYS)
    return BaselineGrade(name, len(caught), kinds, alerts, round(false_alerts / scored_days, 3)), caught
