"""What a replay of the town is worth: the nouns of a grade, and how they read as rows."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["STORY_HEADER", "BaselineGrade", "Grade", "StoryGrade", "Window", "kinds_caught"]

STORY_HEADER: Final = ("story", "caught", "harmful", "too late", "minutes late", "alert", "z-score", "isolation forest")


class StoryGrade(msgspec.Struct, frozen=True):
    """How one story went."""

    id: str
    kind: str
    subject: str
    harmful: int
    """Harmful events in all."""
    caught: bool
    events_too_late: int
    """Harmful events that had passed before the first finding on one of them; all, when not caught."""
    minutes_late: float | None
    """From the first harmful event to the first finding on one; None when not caught."""
    alert: str | None
    caught_by: tuple[str, ...]
    """Names of the simple methods that caught it too."""


class BaselineGrade(msgspec.Struct, frozen=True):
    """How a simple method did on the same events with as many alerts."""

    name: str
    stories: int
    kinds: tuple[str, ...]
    alerts: int
    false_alerts_a_day: float


class Window(msgspec.Struct, frozen=True):
    """Alerts a day over one window of fourteen days."""

    first_day: int
    alerts_a_day: float


class Grade(msgspec.Struct, frozen=True):
    """The whole grade."""

    days: int
    graded_from_day: int
    """Days before this one hold no story and count in no rate below."""
    stories: tuple[StoryGrade, ...]
    kinds: tuple[str, ...]
    """Kinds of which at least half of the stories were caught; the simple methods are held to the same."""
    kinds_in_all: int
    alerts: int
    absolute_alerts: int
    """Of these, rung by the absolute rule, outside the budget."""
    false_alerts_a_day: float
    alerts_a_day: float
    asked_a_day: float | None
    daily: tuple[int, ...]
    """Alerts rung on each day of the town, from its first."""
    windows: tuple[Window, ...]
    """Every window of fourteen days that begins after the quiet days; the absolute rule's alerts left out."""
    baselines: tuple[BaselineGrade, ...]
    caught: int
    """Stories caught."""
    too_easy: bool
    """True when a simple method catches more than half of the kinds: then the drill proves nothing."""

    def to_json(self) -> bytes:
        """Write the grade as one JSON document."""
        return msgspec.json.encode(self)

    def rows(self) -> list[tuple[str, ...]]:
        """Give one row a story, after `STORY_HEADER`."""
        return [STORY_HEADER, *(_story_row(story) for story in self.stories)]

    def summary(self) -> list[tuple[str, str]]:
        """Tell what holds for the whole, as pairs of what and how much."""
        asked = "" if self.asked_a_day is None else f", asked {self.asked_a_day:g}"
        pairs = [
            ("stories caught", f"{self.caught} of {len(self.stories)}"),
            ("kinds caught", f"{len(self.kinds)} of {self.kinds_in_all}"),
            ("alerts a day", f"{self.alerts_a_day:.2f}{asked}"),
            ("false alerts a day", f"{self.false_alerts_a_day:.2f}"),
        ]
        if self.absolute_alerts:
            pairs.append(("by the absolute rule", f"{self.absolute_alerts} alerts, outside the budget"))
        if self.windows:
            rates = [window.alerts_a_day for window in self.windows]
            pairs.append(("alerts a day, by 14 days", f"{min(rates):.2f} to {max(rates):.2f}"))
        for baseline in self.baselines:
            told = f"{baseline.stories} stories, {len(baseline.kinds)} of {self.kinds_in_all} kinds"
            pairs.append((baseline.name, f"{told}, {baseline.false_alerts_a_day:.2f} false alerts a day"))
        verdict = "too easy: a simple method catches more than half of the kinds" if self.too_easy else "not too easy"
        return [*pairs, ("the drill is", verdict)]


def _story_row(story: StoryGrade) -> tuple[str, ...]:
    late = "" if story.minutes_late is None else f"{story.minutes_late:,.1f}"
    too_late = f"{story.events_too_late}" if story.caught else "all"
    also = tuple("yes" if name in story.caught_by else "no" for name in STORY_HEADER[-2:])
    return (story.id, "yes" if story.caught else "no", str(story.harmful), too_late, late, story.alert or "", *also)


def kinds_caught(caught: dict[str, bool], kind_of: dict[str, str]) -> tuple[str, ...]:
    """Kinds of which at least half of the stories were caught, in order of name."""
    found = []
    for kind in sorted(set(kind_of.values())):
        each = [caught[story] for story, its in kind_of.items() if its == kind]
        if 2 * sum(each) >= len(each):
            found.append(kind)
    return tuple(found)
