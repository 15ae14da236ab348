"""Options that several commands share, so that each is spelt and explained once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from tocsin.cli.output import Output

__all__ = ["By", "ConfigFile", "HomePath", "JsonFlag", "OutputMode", "duration_s", "moment"]

HomePath = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Where journal, profiles and alerts are kept.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings; `tocsin.toml` here when there.")
]
OutputMode = Annotated[Output, typer.Option("--output", "-o", help="How data is written.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Short for `-o json`.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; kept in the audit.")]

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,6})?)(?P<unit>[smhdw])")


def duration_s(text: str) -> float:
    """Read `90s`, `30m`, `36h`, `7d` or `2w` as seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"`{text}` is not a duration such as `90s`, `30m`, `36h`, `7d`")
    return float(match["number"]) * _UNITS_S[match["unit"]]


def moment(text: str) -> datetime:
    """Read an ISO 8601 time; UTC when it names no zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"`{text}` is not a time such as `2026-03-04T03:12:00Z`") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
