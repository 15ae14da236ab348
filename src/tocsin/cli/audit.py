"""`tocsin audit`: what people and Tocsin itself did, and whether that record is whole."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from tocsin.cli.opening import open_home
from tocsin.cli.options import ConfigFile, HomePath, JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.render import when
from tocsin.cli.safe import shorten
from tocsin.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.store import AuditRow

__all__ = ["app"]

app = typer.Typer(help="List what was done, and check that list for changes.", no_args_is_help=True)


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """How far the chain of the audit log holds."""

    rows: int
    """Rows that hold, from the first on."""
    first_bad: int | None
    """The first that does not."""


@app.command("list")
def list_audit(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """List what was decided and done, the newest first."""
    printer = Printer(output, as_json=as_json)
    with open_home(config, home) as opened:
        rows = opened.records.audit_rows()
    if not rows:
        say("nothing was done yet")
    if rows or not printer.human:
        printer.many(rows[:limit], _table)
    if len(rows) > limit:
        say(f"{len(rows) - limit} more; --limit {len(rows)} shows all")


@app.command("verify")
def verify_audit(
    home: HomePath = None, config: ConfigFile = None, output: OutputMode = Output.human, as_json: JsonFlag = False
) -> None:
    """Check that no row was changed, removed or put in; exit code 4 and the first such row if one was."""
    printer = Printer(output, as_json=as_json)
    with open_home(config, home) as opened:
        bad = opened.records.verify_audit()
        newest = opened.records.audit_rows(1) if bad is None else []
    rows = bad - 1 if bad is not None else newest[0].id if newest else 0
    if bad is None or not printer.human:
        printer.one(Verified(rows=rows, first_bad=bad), lambda p, v: p.line(f"ok: {v.rows} rows, none changed"))
    if bad is not None:
        message = f"the audit log does not hold from row {bad} on: it was changed, removed or put in"
        raise StoreError(message, hint="compare it with a backup; later rows prove nothing either")


def _table(printer: Printer, rows: Sequence[AuditRow]) -> None:
    cells = [(str(r.id), _when(r.time), shorten(r.actor) or "-", shorten(r.action), _told(r)) for r in rows]
    printer.table(("ROW", "TIME", "BY", "ACTION", "DETAIL"), cells)


def _when(time: str) -> str:
    """Write a row's time as other lists do; one that somebody changed is shown as it is."""
    try:
        return when(datetime.fromisoformat(time))
    except ValueError:
        return shorten(time)


def _told(row: AuditRow) -> str:
    if row.detail is None:
        return "(erased)"
    words = (f"{k} {v if isinstance(v, str) else msgspec.json.encode(v).decode()}" for k, v in row.detail.items())
    return shorten(", ".join(words), 160)
