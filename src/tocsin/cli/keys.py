"""`tocsin keys`: the keys with which programs ask, report and administer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.opening import api_keys, issuing, now
from tocsin.cli.options import By, ConfigFile, HomePath, JsonFlag, OutputMode, duration_s
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.render import when
from tocsin.cli.safe import shorten
from tocsin.record import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.store import ApiKey
    from tocsin.trust.issuing import Issued

__all__ = ["app"]

app = typer.Typer(help="Make, list, replace and end API keys.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `tocsin keys list` shows it.")]


@app.command("create")
def create_key(
    role: Annotated[Role, typer.Option(metavar="ROLE", help="pep, ingest, reader, admin or subject.")],
    subject: Annotated[
        str, typer.Option(metavar="TYPE:ID", help="Whom the key acts for (role subject), or whose it is.")
    ] = "",
    scope: Annotated[list[str] | None, typer.Option(metavar="SCOPE", help="May be given several times.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DURATION", help="As `90d`; never when not given.")] = None,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print its secret, once and alone on standard output.

    Makes the home where there is none; a server that runs takes the key at once.
    """
    printer = Printer(output, as_json=as_json)
    life = None if expires is None else span(expires)
    with api_keys(config, home, make=True) as table:
        issued = issuing().issue(
            table, role, subject=subject, scopes=tuple(scope or ()), label=label, life=life, by=by, now=now()
        )
    _hand_out(printer, issued)


@app.command("list")
def list_keys(
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """List keys, without their secrets, which nobody can read again."""
    printer = Printer(output, as_json=as_json)
    with api_keys(config, home) as table:
        keys = table.every()
    if not keys:
        say("no keys; `tocsin keys create --role ROLE` makes one")
    if keys or not printer.human:
        _show(printer, keys)


@app.command("rotate")
def rotate_key(
    key_id: KeyId,
    grace: Annotated[str, typer.Option(metavar="DURATION", help="How long the old one works on.")] = "24h",
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Make a key that takes the place of another, and print its secret, once."""
    printer = Printer(output, as_json=as_json)
    lasts = span(grace)
    with api_keys(config, home) as table:
        issued = issuing().rotate(table, key_id, grace=lasts, by=by, now=now())
    _hand_out(printer, issued)
    say(f"key {key_id.upper()} works for {grace} more")


@app.command("revoke")
def revoke_key(
    key_id: KeyId,
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """End a key; a server that runs refuses it within a second."""
    printer = Printer(output, as_json=as_json)
    with api_keys(config, home) as table:
        revoked = issuing().revoke(table, key_id, by=by, now=now())
    printer.one(revoked.described(now()), lambda p, _: keys_table(p, [revoked], now()))


def span(text: str) -> timedelta:
    """Read a duration; what is too long for a calendar is too long for a key."""
    try:
        return timedelta(seconds=duration_s(text))
    except OverflowError:
        return timedelta.max


def keys_table(printer: Printer, keys: Sequence[ApiKey], time: datetime) -> None:
    """Draw one line a key."""
    rows = [
        (
            key.id,
            key.role,
            key.state(time),
            shorten(key.subject, 60) or "-",
            shorten(" ".join(key.scopes), 60) or "-",
            when(key.created),
            "never" if (until := key.until()) is None else when(until),
            key.replaced_by or "-",
            key.label,
        )
        for key in keys
    ]
    printer.table(("KEY", "ROLE", "STATE", "SUBJECT", "SCOPES", "CREATED", "ENDS", "REPLACED BY", "LABEL"), rows)


def _show(printer: Printer, keys: Sequence[ApiKey]) -> None:
    time = now()
    if printer.human:
        keys_table(printer, keys, time)
    else:
        printer.many([key.described(time) for key in keys], lambda _, __: None)


def _hand_out(printer: Printer, issued: Issued) -> None:
    """Print the secret alone; what a person should know of it goes to standard error."""
    key = issued.key
    ends = "never ends by itself" if key.expires is None else f"ends {when(key.expires)}"
    data = key.described(key.created) | {"secret": issued.secret}
    printer.one(issued, lambda p, i: p.line(i.secret), data=data)
    say(f"key {key.id} for role {key.role}, {ends}; it is shown this once and kept nowhere")
