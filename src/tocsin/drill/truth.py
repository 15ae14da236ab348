"""What really happened: each event of each story with its place in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.drill.stories import HARMFUL_ROLES, ROLES, Plot
from tocsin.drill.town import Town, subject_text
from tocsin.drill.writing import day_name
from tocsin.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.drill.columns import Columns

__all__ = ["STORIES_FILE", "TRUTH_FILE", "TRUTH_SCHEMA", "Story", "describe_stories", "read_truth", "truth_of_day"]

TRUTH_FILE: Final = "truth.parquet"
STORIES_FILE: Final = "stories.json"
TRUTH_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("source_file", pa.string(), nullable=False),
        pa.field("source_line", pa.int64(), nullable=False),
        pa.field("story", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("harmful", pa.bool_(), nullable=False),
        pa.field("first_harmful", pa.bool_(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("subject", pa.string(), nullable=False),
    ]
)
"""A row for each event of a story, in order of time; `source_file` is relative to the drill's folder."""


class Story(msgspec.Struct, frozen=True):
    """One instance of a crime, as `stories.json` tells it."""

    id: str
    kind: str
    strength: float
    subjects: int
    main_subject: str
    first_time: str
    last_time: str
    first_file: str
    """File and line of the first harmful event."""
    first_line: int
    events: int
    harmful: int


def truth_of_day(town: Town, plots: list[Plot], day: int, columns: Columns) -> pa.Table:
    """Rows of `TRUTH_SCHEMA` for one day's file; `first_harmful` is settled when days are joined."""
    rows = np.flatnonzero(columns["story"] >= 0)
    story = columns["story"][rows]
    roles = [ROLES[code] for code in columns["role"][rows].tolist()]
    return pa.table(
        [
            pa.array([day_name(town, day)] * len(rows), pa.string()),
            pa.array(rows + 1),
            pa.array([story_id(plots, code) for code in story.tolist()], pa.string()),
            pa.array([plots[code].kind for code in story.tolist()], pa.string()),
            pa.array(roles, pa.string()),
            pa.array([role in HARMFUL_ROLES for role in roles], pa.bool_()),
            pa.array(np.zeros(len(rows), bool)),
            pa.array(columns["time"][rows] // 1000 * 1000).cast(TRUTH_SCHEMA.field("time").type),
            pa.array([subject_text(town, code) for code in columns["subject"][rows].tolist()], pa.string()),
        ],
        schema=TRUTH_SCHEMA,
    )


def story_id(plots: list[Plot], code: int) -> str:
    """Name of a story: its kind and its number among its kind."""
    kind = plots[code].kind
    return f"{kind}-{1 + sum(plot.kind == kind for plot in plots[:code])}"


def mark_first(truth: pa.Table) -> pa.Table:
    """Set `first_harmful` on each story's first harmful row."""
    story, harmful = truth["story"].to_pylist(), truth["harmful"].to_pylist()
    seen: set[str] = set()
    marks = []
    for name, bad in zip(story, harmful, strict=True):
        marks.append(bad and name not in seen)
        if bad:
            seen.add(name)
    place = TRUTH_SCHEMA.get_field_index("first_harmful")
    return truth.set_column(place, TRUTH_SCHEMA.field(place), pa.array(marks, pa.bool_()))


def describe_stories(truth: pa.Table, plots: list[Plot]) -> list[Story]:
    """Sum up each story from its rows of truth."""
    strength = {story_id(plots, code): plot.strength for code, plot in enumerate(plots)}
    by_story: dict[str, list[dict[str, object]]] = {}
    for row in truth.to_pylist():
        by_story.setdefault(row["story"], []).append(row)
    return [_describe(name, rows, strength[name]) for name, rows in sorted(by_story.items())]


def _describe(name: str, rows: list[dict[str, object]], strength: float) -> Story:
    first = next((row for row in rows if row["first_harmful"]), rows[0])
    subjects = [str(row["subject"]) for row in rows]
    return Story(
        id=name,
        kind=str(first["kind"]),
        strength=round(strength, 3),
        subjects=len(set(subjects)),
        main_subject=max(sorted(set(subjects)), key=subjects.count),
        first_time=rows[0]["time"].isoformat(),  # type: ignore[attr-defined]
        last_time=rows[-1]["time"].isoformat(),  # type: ignore[attr-defined]
        first_file=str(first["source_file"]),
        first_line=int(first["source_line"]),  # type: ignore[call-overload]
        events=len(rows),
        harmful=sum(bool(row["harmful"]) for row in rows),
    )


def read_truth(path: Path) -> pa.Table:
    """Read a truth file, or that of a drill's folder; raises `SourceError` when it is not one."""
    file = path / TRUTH_FILE if path.is_dir() else path
    try:
        return pq.read_table(file).select(TRUTH_SCHEMA.names).cast(TRUTH_SCHEMA)
    except (OSError, KeyError, ValueError, pa.ArrowException) as problem:
        raise SourceError(
            f"`{file.name}` is not the truth of a drill: {type(problem).__name__}",
            hint="name the folder that `tocsin drill --out` wrote",
        ) from problem
