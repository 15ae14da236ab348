"""`tocsin entity`: what is known of one user, key, workload or address, and how to forget it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tocsin.cli import opening
from tocsin.cli.options import By, ConfigFile, HomePath, JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer
from tocsin.cli.portrait import Portrait, draw
from tocsin.cli.safe import safe
from tocsin.errors import NotFound, Refused, UsageError

__all__ = ["app"]

app = typer.Typer(help="Show what is known of one entity, or erase it.", no_args_is_help=True)

EntityName = Annotated[str, typer.Argument(metavar="ENTITY", help="Written `type:id`, as `user:ada`.")]
RECENT_ALERTS = 10


def checked_name(name: str) -> str:
    """Insist on `type:id`."""
    kind, colon, rest = name.partition(":")
    if not (kind and colon and rest):
        raise UsageError(f"not an entity: `{name[:80]}`", hint="an entity is written `type:id`, as `user:ada`")
    return name


@app.command("show")
def show_entity(
    name: EntityName,
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Show an entity's risk, restrictions, recent alerts and what is normal for it."""
    printer = Printer(output, as_json=as_json)
    entity = checked_name(name)
    settings = opening.load_settings(config, {"home.path": home}).settings
    opening.home_at(settings)
    with opening.open_engine(settings, writer=False) as engine:
        records = engine.home.records
        portrait = Portrait(
            entity=entity,
            risk=engine.risk(entity),
            restrictions=[r for r in records.restrictions() if r.entity == entity],
            alerts=[a for a in records.alerts() if entity in a.entities][:RECENT_ALERTS],
            profile=engine.profile(entity),
        )
    if not (portrait.profile or portrait.alerts or portrait.restrictions):
        raise NotFound(f"nothing is known of `{entity}`", hint="case matters; `tocsin alerts list` shows how ids look")
    printer.one(portrait, draw)


@app.command("erase")
def erase_entity(
    name: EntityName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Destroy the key of an entity's journaled events; this cannot be undone.

    Its profile and scores go, and alerts, findings, restrictions and audit rows that name it are emptied.
    """
    printer = Printer(output, as_json=as_json)
    entity = checked_name(name)
    if not yes:
        _ask(entity)
    settings = opening.load_settings(config, {"home.path": home}).settings
    opening.home_at(settings)
    with opening.open_engine(settings) as engine:
        events = engine.erase(entity, by)
    erased = {"entity": entity, "events": events}
    printer.one(erased, lambda p, e: p.line(f"{e['entity']}: erased, {events:,} journaled events with it"))


def _ask(entity: str) -> None:
    """Ask a person at a terminal; raises UsageError where nobody can answer, Refused when they say no."""
    if not sys.stdin.isatty():
        raise UsageError("erasing cannot be undone and nobody is here to ask", hint="say --yes")
    if not typer.confirm(safe(f"erase everything about {entity}?"), err=True):
        raise Refused("nothing was erased", hint="say y to erase")
