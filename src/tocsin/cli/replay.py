"""`tocsin replay`: logs in, a short ranked list of what deserves a look out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.opening import ReplayArguments, load_settings, run_replay
from tocsin.cli.options import ConfigFile, HomePath, JsonFlag, OutputMode, duration_s
from tocsin.cli.output import Output, Printer
from tocsin.cli.render import alerts_ranked
from tocsin.cli.summary import summarise
from tocsin.response.alerts import ranked

__all__ = ["replay"]


def replay(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, globs; `-` is standard input.")],
    format_: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Read as this, whatever it looks like.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="How to read a CSV, JSON lines or Parquet.")
    ] = None,
    home: HomePath = None,
    alerts_per_day: Annotated[
        float | None, typer.Option(metavar="N", help="How many alerts a day the team can look at.")
    ] = None,
    enforce: Annotated[
        bool | None, typer.Option("--enforce", help="Act on restrictions in place of only recording them.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one row per event to this Parquet file.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What became known of events: Parquet or CSV.")
    ] = None,
    label_delay: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Labels are known so long after the event, as `7d`.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Alerts to list at the end, for a person.")] = 10,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Read logs and list what deserves a look, and why.

    Learns what is normal for every entity on the way; alerts come worst first.

    A second run over the same home continues; files already read are recognised.
    """
    printer = Printer(output, as_json=as_json)
    flags: dict[str, object] = {"home.path": home, "alerts.per_day": alerts_per_day, "respond.enforce": enforce}
    settings = load_settings(config, flags).settings
    delay = duration_s(label_delay) if label_delay else None
    request = ReplayArguments(
        paths=paths, format=format_, mapping=mapping, scores=scores, labels=labels, label_delay_s=delay
    )
    report = run_replay(settings, request)
    alerts = ranked(report.alerts)
    shown = alerts[:top] if printer.human else alerts
    printer.many(shown, lambda p, found: alerts_ranked(p, found, home=settings.home.path))
    summarise(report, shown=len(shown), home=settings.home.path)
