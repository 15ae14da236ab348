"""What a replay read and did, counted, for standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tocsin.cli.output import say
from tocsin.cli.render import home_flag
from tocsin.cli.safe import shorten

if TYPE_CHECKING:
    from tocsin.engine import ReplayReport
    from tocsin.sources import FileReport

__all__ = ["summarise"]

MAX_FILES: Final = 20
"""Files named one by one."""


def summarise(report: ReplayReport, *, shown: int, home: str) -> None:
    """Say what became of every record: none is dropped without being counted."""
    for file in report.files[:MAX_FILES]:
        say(_file(file))
    if len(report.files) > MAX_FILES:
        say(f"  and {len(report.files) - MAX_FILES} more files")
    counts = {
        "files": len(report.files),
        "read": report.read,
        "scored": report.scored,
        "late": report.late,
        "duplicate": report.duplicates,
        "set aside": report.set_aside,
        "filtered": report.filtered,
        "alerts": len(report.alerts),
        "restrictions": len(report.restrictions),
    }
    say(", ".join(f"{name} {count:,}" for name, count in counts.items()) + f", {report.seconds:.1f} s")
    if report.set_aside:
        say(f"set-aside records, with reasons: {report.dead_letter}")
    if len(report.alerts) > shown:
        say(f"{len(report.alerts) - shown} more alerts: tocsin alerts list{home_flag(home)}")


def _file(file: FileReport) -> str:
    """`name: format, n read` and whatever else became of it, or why nothing was taken."""
    name = shorten(file.source_file)
    if file.skipped:
        return f"  {name}: skipped: {file.skipped}"
    counts = {
        "read": file.read,
        "read before": file.journaled,
        "set aside": file.set_aside,
        "filtered": file.filtered,
        "duplicate": file.duplicates,
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count or what == "read"]
    if file.damage:
        told.append(f"ended early: {file.damage}")
    return f"  {name}: {', '.join([str(file.format), *told])}"
