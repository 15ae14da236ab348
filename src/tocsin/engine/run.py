"""What a home remembers of a replay while it lasts, so that the same command can continue it after a crash.

A file keeps the clock under which it was begun: what lay in the future for the first run is set aside by the run that
continues it too, however much later that is. Records set aside go to a file named after the first input's number,
which no other run has, and which a continued run writes anew and whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.sources import Gathering
    from tocsin.store import Home

__all__ = ["Run", "begin", "end"]

_CLOCKS: Final = "replay-clocks"


class Run(NamedTuple):
    """One replay, continued or not."""

    first_seq: int
    """Where the journal stood when the first of its inputs was begun."""
    dead_letter: Path


def _clocks(home: Home) -> dict[str, datetime]:
    kept = home.records.meta(_CLOCKS)
    return msgspec.json.decode(kept, type=dict[str, datetime]) if kept else {}


def begin(home: Home, gathering: Gathering, now: datetime) -> Run:
    """Register the inputs that are to be read; those begun before keep their number, place and clock."""
    fresh = [report for report in gathering.files if report.skipped is None]
    clocks = _clocks(home)
    home.records.set_meta(_CLOCKS, msgspec.json.encode({report.digest: now for report in fresh} | clocks))
    home.files.begin_all([(report.digest, report.source_file, report.format or "") for report in fresh])
    places = [place for report in fresh if (place := home.files.lookup(report.digest)) is not None]
    number = min((number for number, _ in places), default=0)
    first_seq = min((first for _, first in places), default=home.journal.next_seq)
    run = Run(first_seq, home.path / "dead-letters" / f"{number:06d}.jsonl")
    gathering.continue_from(clocks, run.dead_letter)
    return run


def end(home: Home, gathering: Gathering) -> None:
    """Say that the inputs that were read whole are done."""
    done = [report.digest for report in gathering.files if report.skipped is None and report.complete]
    home.files.done_all(done)
    left = {digest: clock for digest, clock in _clocks(home).items() if digest not in set(done)}
    home.records.set_meta(_CLOCKS, msgspec.json.encode(left))
