"""Build a whole town: events and truth, from a seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.drill.calendar import draw
from tocsin.drill.columns import Columns, concatenate, take
from tocsin.drill.machines import day_of_machines
from tocsin.drill.ordinary import DAY_US, day_of_people
from tocsin.drill.stories import Plot, Stage, stage_all
from tocsin.drill.town import found, pool_sizes
from tocsin.drill.truth import STORIES_FILE, TRUTH_FILE, TRUTH_SCHEMA, Story, describe_stories, mark_first, truth_of_day
from tocsin.drill.writing import EVENTS_FOLDER, write_day
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEFAULT_START", "BuildReport", "build"]

DEFAULT_START: Final = datetime(2026, 2, 4, tzinfo=UTC)
"""A Wednesday; sixty days from here hold a quarter's end, and day 40 is a Monday."""
LEAST_PEOPLE: Final = 30
LEAST_DAYS: Final = 20
_MOST_PEOPLE: Final = 100_000
_MOST_DAYS: Final = 366
_STORIES_EACH: Final = 2

Progress = Callable[[int, int], None]
"""Called with days written and days in all."""


class BuildReport(msgspec.Struct, frozen=True):
    """What was built."""

    seed: int
    days: int
    people: int
    machines: int
    start: datetime
    migration_day: int | None
    events: int
    harmful: int
    packed_bytes: int
    """Size of the packed event files."""
    stories: tuple[Story, ...]
    seconds: float

    def to_json(self) -> bytes:
        """Write the report as one JSON document."""
        return msgspec.json.encode(self)


def build(
    out: Path,
    *,
    seed: int,
    days: int,
    people: int,
    start: datetime = DEFAULT_START,
    migration_day: int | None = None,
    stories_each: int = _STORIES_EACH,
    progress: Progress | None = None,
) -> BuildReport:
    """Write `out/events/*.jsonl.gz`, `out/truth.parquet` and `out/stories.json`.

    The same arguments give the same bytes. Raises `UsageError` for a town too small, too large, or
    for a folder that already holds one.
    """
    began = time.perf_counter()
    _check(out, seed, days, people, migration_day)
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    town = found(
        seed,
        people=people,
        days=days,
        start_us=(midnight - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
        weekday=midnight.weekday(),
        migration_day=migration_day,
    )
    stage = Stage(town, draw(town), pool_sizes(people))
    plots = stage_all(stage, stories_each)
    (out / EVENTS_FOLDER).mkdir(parents=True, exist_ok=True)
    sizes, truth = _write(out, stage, plots, progress)
    stories = describe_stories(truth, plots)
    _write_truth(out, truth, stories)
    return BuildReport(
        seed=seed,
        days=days,
        people=people,
        machines=town.machines,
        start=midnight,
        migration_day=migration_day,
        events=sum(events for events, _ in sizes),
        harmful=sum(story.harmful for story in stories),
        packed_bytes=sum(size for _, size in sizes),
        stories=tuple(stories),
        seconds=round(time.perf_counter() - began, 3),
    )


def _check(out: Path, seed: int, days: int, people: int, migration_day: int | None) -> None:
    if seed < 0:
        raise UsageError(f"a seed of `{seed}` cannot be used", hint="seeds are whole numbers from 0")
    if not LEAST_PEOPLE <= people <= _MOST_PEOPLE:
        raise UsageError(
            f"a town of `{people}` people", hint=f"between {LEAST_PEOPLE} and {_MOST_PEOPLE} can live there"
        )
    if not LEAST_DAYS <= days <= _MOST_DAYS:
        raise UsageError(f"`{days}` days", hint=f"between {LEAST_DAYS} and {_MOST_DAYS}: the first 14 hold no story")
    if migration_day is not None and not 0 <= migration_day < days:
        raise UsageError(f"day `{migration_day}` of the migration lies outside the {days} days", hint="count from 0")
    if (out / EVENTS_FOLDER).exists() and any((out / EVENTS_FOLDER).iterdir()):
        raise UsageError(f"`{out}` already holds a town", hint="name another folder, or remove that one")


def _days(stage: Stage, plots: list[Plot]) -> Iterator[Columns]:
    """Events of each day by UTC, in order of time, with no more than two days in memory at once.

    INVARIANT: what people begin on their day never falls before the midnight, UTC, that precedes it
    by a day; so once the next day is drawn, a day is whole.
    """
    town = stage.town
    pending = concatenate(
        [{**p.columns, "story": np.full(len(p.columns["time"]), code, np.int16)} for code, p in enumerate(plots)]
    )
    for day in range(town.days):
        if day == 0:
            pending = concatenate([pending, *_draw_day(stage, 0)])
        if day + 1 < town.days:
            pending = concatenate([pending, *_draw_day(stage, day + 1)])
        midnight = town.start_us + day * DAY_US
        due = pending["time"] < midnight + DAY_US
        today = take(pending, np.flatnonzero(due & (pending["time"] >= midnight)))
        pending = take(pending, np.flatnonzero(~due))
        yield take(today, np.argsort(today["time"], kind="stable"))


def _draw_day(stage: Stage, day: int) -> tuple[Columns, Columns]:
    people = day_of_people(stage.town, stage.calendar, stage.pools, day)
    return people, day_of_machines(stage.town, stage.calendar, day)


def _write(
    out: Path, stage: Stage, plots: list[Plot], progress: Progress | None
) -> tuple[list[tuple[int, int]], pa.Table]:
    town, sizes, truths = stage.town, [], [TRUTH_SCHEMA.empty_table()]
    for day, columns in enumerate(_days(stage, plots)):
        sizes.append((len(columns["time"]), write_day(out, town, day, columns)))
        truths.append(truth_of_day(town, plots, day, columns))
        if progress is not None:
            progress(day + 1, town.days)
    return sizes, mark_first(pa.concat_tables(truths))


def _write_truth(out: Path, truth: pa.Table, stories: list[Story]) -> None:
    pq.write_table(truth, out / TRUTH_FILE)
    (out / STORIES_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(stories), indent=2) + b"\n")
