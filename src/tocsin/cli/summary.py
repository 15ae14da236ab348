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

FEW_FILES: Final = 5
"""So many files are named one by one, whatever became of them."""
FEW_LETTERS: Final = 3
"""So many records set aside are shown with their reason; the file has all."""
READ_BEFORE: Final = "already journaled"
"""What sources say of a file that the home holds already; a test keeps the two equal."""
MAX_FILES: Final = 20
"""So many are named when something became of them that should be known."""


def summarise(report: ReplayReport, *, shown: int, home: str) -> None:
    """Say what became of every record: none is dropped without being counted."""
    named = _worth_naming(report.files)
    for file in named:
        say(_file(file))
    before = sum(_read_before(file) for file in report.files)
    if before:
        say(f"  {before} of {len(report.files)} files were read before: nothing of them is counted twice")
    if named and len(report.files) - before > len(named):
        say(f"  and {len(report.files) - before - len(named)} more files")
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
    for letter in report.set_aside_examples[:FEW_LETTERS]:
        line = f":{letter.source_line}" if letter.source_line else ""
        say(f"  {shorten(letter.source_file)}{line}: {shorten(letter.reason)}")
    if report.set_aside:
        say(f"set-aside records, with reasons: {report.dead_letter}")
    if len(report.alerts) > shown:
        say(f"{len(report.alerts) - shown} more alerts: tocsin alerts list{home_flag(home)}")


def _worth_naming(files: list[FileReport]) -> list[FileReport]:
    """Pick the files that were skipped, cut short or had records set aside; all, when there are few."""
    fresh = [file for file in files if not _read_before(file)]
    if len(fresh) <= FEW_FILES:
        return fresh
    return [file for file in fresh if file.skipped or file.damage or file.set_aside][:MAX_FILES]


def _read_before(file: FileReport) -> bool:
    return file.skipped == READ_BEFORE


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
