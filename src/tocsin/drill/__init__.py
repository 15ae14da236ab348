"""A labelled, seeded town of people and criminals, to try any of it on. Detection never imports it."""

from __future__ import annotations

from tocsin.drill.administrator import Administrator, find_administrator
from tocsin.drill.building import DEFAULT_START, BuildReport, build
from tocsin.drill.grade import STORY_HEADER, BaselineGrade, Grade, StoryGrade
from tocsin.drill.grading import grade, grade_alerts

__all__ = [
    "DEFAULT_START",
    "STORY_HEADER",
    "Administrator",
    "BaselineGrade",
    "BuildReport",
    "Grade",
    "StoryGrade",
    "build",
    "find_administrator",
    "grade",
    "grade_alerts",
]
