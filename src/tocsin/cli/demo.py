"""`tocsin demo`: a town is built, replayed and graded, and the administrator's alert printed in full."""

from __future__ import annotations

import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tocsin.cli import opening
from tocsin.cli.casefile import Case, alert_with_evidence
from tocsin.cli.grading import graded
from tocsin.cli.options import JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.progress import Watch
from tocsin.cli.render import alert_full
from tocsin.cli.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.drill.truth import Story
    from tocsin.store import Records

__all__ = ["demo"]

SEED: Final = 7
DAYS: Final = 60
MIGRATION_DAY: Final = 40
ALERTS_PER_DAY: Final = 10.0
ADMINISTRATOR: Final = "admin_at_night"
"""Kind of the story whose alert is printed in full."""


def demo(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep town and home here; a new folder if not said.")
    ] = None,
    people: Annotated[int, typer.Option(min=50, max=20_000, help="How large the town is.")] = 2000,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Try it on a made-up town, graded, in two minutes.

    Builds 60 days of a town, replays them at ten alerts a day, grades that, and prints the
    administrator's alert in full.
    """
    printer = Printer(output, as_json=as_json)
    place = out or Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    town, home = place / "town", place / "home"
    stories = _build(town, people)
    _replay(town, home)
    say("grading it, beside a z-score and an isolation forest")
    result = opening.drill().grade(town, home)
    with opening.home_of(home) as opened:
        case = _administrator(opened.records, stories)
    printer.one(result, graded)
    if case:
        printer.line()
        printer.line("the administrator at three in the morning:", "bold")
        printer.one(case, lambda p, c: alert_full(p, c.alert, c.findings, c.restrictions))
    _next(home)


def _build(town: Path, people: int) -> Sequence[Story]:
    say(f"building a town of {people:,} people and {DAYS} days in {town}")
    with Watch() as watch:
        built = opening.drill().build(
            town,
            seed=SEED,
            days=DAYS,
            people=people,
            migration_day=MIGRATION_DAY,
            progress=partial(watch, "days"),
        )
    stories: Sequence[Story] = built.stories
    return stories


def _replay(town: Path, home: Path) -> None:
    say(f"replaying it at {ALERTS_PER_DAY:g} alerts a day into {home}")
    settings = opening.plain_settings({"home.path": home, "alerts.per_day": ALERTS_PER_DAY})
    report = opening.run_replay(settings, opening.ReplayArguments(paths=[str(town / "events")]))
    summarise(report, shown=len(report.alerts), home=str(home))


def _administrator(records: Records, stories: Sequence[Story]) -> Case | None:
    """Find the most surprising alert that rang for an administrator while a story of that kind ran."""
    rang = [
        alert
        for alert in records.alerts()
        for story in stories
        if story.kind == ADMINISTRATOR
        and story.main_subject in alert.entities
        and alert.last_time >= datetime.fromisoformat(story.first_time)
        and alert.first_time <= datetime.fromisoformat(story.last_time)
    ]
    worst = max(rang, key=lambda a: (a.tail_bits, a.id), default=None)
    return alert_with_evidence(records, worst.id) if worst else None


def _next(home: Path) -> None:
    say("next:")
    say(f"  tocsin alerts list --home {home}")
    say(f"  tocsin explain ALERT --home {home}")
    say("  tocsin replay YOUR-LOGS --home tocsin-home")
