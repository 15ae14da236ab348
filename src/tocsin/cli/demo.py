"""`tocsin demo`: a town is built, replayed and graded, and the administrator's alert printed in full."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tocsin.cli import opening
from tocsin.cli.demo_verify import verify
from tocsin.cli.grading import draw_grade, plain_grade
from tocsin.cli.options import JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.progress import Watch
from tocsin.cli.render import alert_full
from tocsin.cli.summary import summarise
from tocsin.response.cases import Case, alert_with_evidence

if TYPE_CHECKING:
    from tocsin.drill import Grade

__all__ = ["app"]

SEED: Final = 7
DAYS: Final = 60
MIGRATION_DAY: Final = 40
ALERTS_PER_DAY: Final = 10.0
ADMINISTRATOR: Final = "admin-at-night"
"""Kind of the story whose alert is printed in full."""


app = typer.Typer(invoke_without_command=True)


@app.callback()
def demo(
    context: typer.Context,
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
    if context.invoked_subcommand:
        return
    printer = Printer(output, as_json=as_json)
    place = out or Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    town, home = place / "town", place / "home"
    _build(town, people)
    _replay(town, home)
    say("grading it, beside a z-score and an isolation forest")
    grade: Grade = opening.drill().grade(town, home, asked_a_day=ALERTS_PER_DAY)
    case = _administrator(home, grade)
    printer.one(
        case,
        lambda p, c: _draw(p, grade, c),
        data={"grade": plain_grade(grade), "administrator": case},
    )
    _next(home)


app.command("verify")(verify)


def _build(town: Path, people: int) -> None:
    say(f"building a town of {people:,} people and {DAYS} days in {town}")
    with Watch() as watch:
        opening.drill().build(
            town, seed=SEED, days=DAYS, people=people, migration_day=MIGRATION_DAY, progress=partial(watch, "days")
        )


def _replay(town: Path, home: Path) -> None:
    say(f"replaying it at {ALERTS_PER_DAY:g} alerts a day into {home}")
    settings = opening.plain_settings({"home.path": home, "alerts.per_day": ALERTS_PER_DAY})
    report = opening.run_replay(settings, opening.ReplayArguments(paths=[str(town / "events")]))
    summarise(report, shown=len(report.alerts), home=str(home))


def _administrator(home: Path, grade: Grade) -> Case | None:
    """Gather the first alert that caught an administrator's story; None when all were missed."""
    rang = [story.alert for story in grade.stories if story.kind == ADMINISTRATOR and story.alert]
    if not rang:
        return None
    with opening.home_of(home) as opened:
        return alert_with_evidence(opened.records, rang[0])


def _draw(printer: Printer, grade: Grade, case: Case | None) -> None:
    draw_grade(printer, grade)
    printer.line()
    if case is None:
        printer.line("the administrator at three in the morning was missed")
        return
    printer.line("the administrator at three in the morning:", "bold")
    printer.line()
    alert_full(printer, case.alert, case.findings, case.restrictions)


def _next(home: Path) -> None:
    say("next:")
    say(f"  tocsin alerts list --home {home}")
    say(f"  tocsin explain ALERT --home {home}")
    say("  tocsin replay YOUR-LOGS")
