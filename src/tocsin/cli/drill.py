"""`tocsin drill`: a labelled, seeded town to try detection on, and its grade."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli import opening
from tocsin.cli.grading import draw_grade, plain_grade
from tocsin.cli.options import JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.progress import Watch

if TYPE_CHECKING:
    from tocsin.drill import Grade

__all__ = ["app"]

app = typer.Typer(help="Build a labelled town, or grade a replay of it.")


@app.callback(invoke_without_command=True)
def build_town(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where events and truth are written.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 7,
    days: Annotated[int, typer.Option(min=1, max=730)] = 60,
    people: Annotated[int, typer.Option(min=1, max=200_000)] = 2000,
    migration_day: Annotated[int | None, typer.Option(min=1, help="Move part of the town on this day.")] = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Build a town: people with habits, harmless oddities, and labelled stories of intruders."""
    if context.invoked_subcommand is not None:
        return
    if out is None:
        raise typer.BadParameter("--out DIR says where the town is written")
    printer = Printer(output, as_json=as_json)
    with Watch() as watch:
        report = opening.drill().build(
            out, seed=seed, days=days, people=people, migration_day=migration_day, progress=partial(watch, "days")
        )
    printer.one(report, lambda p, _: p.line(str(out)))
    say(f"next: tocsin replay {out}/events --home HOME, then tocsin drill grade --truth {out} --home HOME")


@app.command("grade")
def grade_replay(
    truth: Annotated[Path, typer.Option(metavar="DIR", help="Where the town was written.")],
    home: Annotated[Path, typer.Option(metavar="DIR", help="The home its events were replayed over.")],
    asked: Annotated[float | None, typer.Option(metavar="N", help="Alerts a day that were asked for.")] = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Grade a replay, story by story, beside a z-score and an isolation forest."""
    printer = Printer(output, as_json=as_json)
    result: Grade = opening.drill().grade(truth, opening.existing(home), asked_a_day=asked)
    printer.one(result, draw_grade, data=plain_grade(result))
