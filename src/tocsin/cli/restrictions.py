"""`tocsin restrictions`: what entities may not do, and how to change that."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli.door import decide
from tocsin.cli.entity import EntityName, checked_name
from tocsin.cli.opening import load_entities, load_settings, now, open_home
from tocsin.cli.options import By, ConfigFile, HomePath, JsonFlag, OutputMode, duration_s, moment
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.render import restrictions_table
from tocsin.cli.ruling import free, restrict
from tocsin.record import Rung
from tocsin.response.cases import in_force

__all__ = ["app"]

app = typer.Typer(help="List, add and lift restrictions.", no_args_is_help=True)


@app.command("list")
def list_restrictions(
    everything: Annotated[bool, typer.Option("--all", help="Also what expired or was lifted.")] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="In force at this time in place of now.")] = None,
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """List the restrictions in force, and those that wait for a person."""
    printer = Printer(output, as_json=as_json)
    time = moment(at) if at else now()
    with open_home(config, home) as opened:
        every = opened.records.restrictions()
        found = every if everything else in_force(every, opened.records.restrictions(active_at=time), time)
    if not found:
        say("no restrictions in force")
    if found or not printer.human:
        printer.many(found, restrictions_table)
    if len(every) > len(found):
        say(f"{len(every) - len(found)} expired or lifted; --all shows them, --at TIME those of that time")


@app.command("lift")
def lift_restriction(
    restriction_id: Annotated[str, typer.Argument(metavar="ID")],
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """End a restriction now; until it would have run out, automation asks before restricting again."""
    printer = Printer(output, as_json=as_json)
    lifted = decide(
        config,
        home,
        lambda opened: free(opened, restriction_id, by=by, now=now()),
        lambda door: door.lift(restriction_id, by=by),
    )
    printer.one(lifted, lambda p, r: restrictions_table(p, [r]))


@app.command("add")
def add_restriction(
    entity: EntityName,
    rung: Annotated[Rung, typer.Argument(metavar="RUNG", help="watch, step_up, limit or suspend.")],
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="As `8h` or `3d`.")] = "8h",
    cause: Annotated[str, typer.Option(help="Why; kept and shown.")] = "decided by a person",
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Restrict an entity by a person's decision; it is enforced even in shadow mode."""
    printer = Printer(output, as_json=as_json)
    hours = duration_s(lasts) / 3600
    loaded, name = load_settings(config, {"home.path": home}).settings, checked_name(entity)
    settings, name = loaded.respond, load_entities(loaded).canonical.get(name, name)
    added = decide(
        config,
        home,
        lambda opened: restrict(opened, name, rung, hours=hours, cause=cause, by=by, now=now(), settings=settings),
        lambda door: door.restrict(name, rung, hours=hours, cause=cause, by=by),
    )
    printer.one(added, lambda p, r: restrictions_table(p, [r]))
