"""What a replay read and did, counted, for standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tocsin.cli.output import say
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
        say(f"{len(report.alerts) - shown} more alerts: tocsin alerts list --home {home}")


def _file(file: FileReport) -> str:
    """`name: format, n read, n set aside`, or why it was skipped."""
    name = shorten(file.source_file)
    if file.skipped:
        return f"  {name}: skipped: {file.skipped}"
    return f"  {name}: {file.format}, {file.read:,} read, {file.set_aside:,} set aside"
