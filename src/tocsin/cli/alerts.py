"""`tocsin alerts`: what rang, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tocsin.cli.casefile import judge
from tocsin.cli.door import decide
from tocsin.cli.opening import now, open_home
from tocsin.cli.options import By, ConfigFile, HomePath, JsonFlag, OutputMode, moment
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.render import alert_full, alerts_table
from tocsin.response.alerts import ranked
from tocsin.response.cases import alert_with_evidence

__all__ = ["app"]

app = typer.Typer(help="List alerts, show one, say whether it was right.", no_args_is_help=True)


class Answer(StrEnum):
    """What an analyst found out."""

    true = "true"
    false = "false"


@app.command("list")
def list_alerts(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, worst first.")] = 50,
    open_only: Annotated[bool, typer.Option("--open", help="Only those without a verdict.")] = False,
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """List alerts, worst first."""
    printer = Printer(output, as_json=as_json)
    with open_home(config, home) as opened:
        alerts = ranked(opened.records.alerts(state="open" if open_only else None))
    if not alerts:
        say("no alerts")
    if alerts or not printer.human:
        printer.many(alerts[:limit], alerts_table)
    if len(alerts) > limit:
        say(f"{len(alerts) - limit} more; --limit {len(alerts)} shows all")


@app.command("show")
def show_alert(
    alert_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Show one alert with its evidence and what it led to."""
    printer = Printer(output, as_json=as_json)
    with open_home(config, home) as opened:
        case = alert_with_evidence(opened.records, alert_id)
    printer.one(case, lambda p, c: alert_full(p, c.alert, c.findings, c.restrictions))


@app.command("verdict")
def give_verdict(
    record_id: Annotated[str, typer.Argument(metavar="ID", help="An alert (all its findings) or one finding.")],
    answer: Annotated[Answer, typer.Argument(help="Was it right to ring?")],
    by: By = "",
    known_at: Annotated[str | None, typer.Option(metavar="TIME", help="When it became known; now if not said.")] = None,
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Say whether an alert was right; scoring learns it from that moment."""
    printer = Printer(output, as_json=as_json)
    known = moment(known_at) if known_at else now()
    bad = answer is Answer.true
    verdicts = decide(
        config,
        home,
        lambda opened: judge(opened, record_id, bad=bad, known_at=known, by=by),
        lambda door: door.judge(record_id, bad=bad, known_at=known, by=by),
    )
    printer.many(verdicts, lambda p, vs: p.line(f"{record_id}: {answer}, {len(vs)} events learn it"))
