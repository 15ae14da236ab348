"""Files in, once: read, ordered by time, journaled, scored, and continued where an earlier run was cut off."""

from __future__ import annotations

import shutil
import time
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations at run time
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from tocsin.engine.labels import Labels, load_labels
from tocsin.engine.run import Run, begin, end
from tocsin.engine.scores import write_scores
from tocsin.record import SEVERITIES
from tocsin.sources import FileReport, gather

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa

    from tocsin.engine.loop import Engine
    from tocsin.record import Alert, Restriction, SetAside
    from tocsin.sources import Gathering, Progress
    from tocsin.store import Home

__all__ = ["ReplayReport", "ReplayRequest", "Tell", "replay"]


class Tell(Protocol):
    """Hears how far a long piece of work is."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Show that `stage` has come to `done` of `total`."""


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to read, and what to write beside the home."""

    paths: list[str]
    format: str | None = None
    """Name of a source; None finds it by content."""
    mapping: Path | None = None
    scores: Path | None = None
    """Parquet file to write: one row an event read."""
    labels: Path | None = None
    """Parquet or CSV file of what became known of events."""
    label_delay_s: float | None = None
    """How long after an event its label was known, where the file does not say."""


class ReplayReport(msgspec.Struct, kw_only=True):
    """What a replay read and what came of it."""

    files: list[FileReport]
    read: int
    scored: int
    late: int
    duplicates: int
    set_aside: int
    filtered: int
    alerts: list[Alert]
    """Those that took in events of these files, most urgent first; a run that continues another tells of both."""
    restrictions: list[Restriction]
    seconds: float
    dead_letter: Path
    set_aside_examples: list[SetAside] = []
    """The first hundred records set aside."""
    unmatched_labels: int = 0
    """Labels of events that this home has not read."""


class _Count(msgspec.Struct):
    scored: int = 0
    late: int = 0


def replay(engine: Engine, request: ReplayRequest, progress: Tell | None) -> ReplayReport:
    """Observe every event of the request's inputs that this home has not read before."""
    began = time.monotonic()
    engine.settle()
    home, spill = engine.home, engine.home.path / "spill"
    labels = load_labels(request.labels, request.label_delay_s) if request.labels else None
    shutil.rmtree(spill, ignore_errors=True)  # what a killed run left; nobody else writes to this home
    try:
        gathering = gather(
            request.paths,
            format=request.format,
            mapping=request.mapping,
            enrichment=engine.enrichment,
            now=engine.clock(),
            spill=spill,
            skip=_Journaled(home).look_up,
            progress=_reading(progress) if progress else None,
        )
        run = begin(home, gathering, engine.clock())
        if labels is not None:
            labels.resume(engine)
        count = _Count()
        for batch in gathering.batches(engine.settings.behaviour.batch_rows):
            _observe(engine, batch, labels, count)
            if progress is not None:
                progress("scoring", count.scored + count.late, sum(f.read for f in gathering.files))
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    if labels is not None:
        labels.finish(engine)
    engine.snapshot()
    end(home, gathering)
    if request.scores is not None:
        write_scores(home, request.scores, [f.digest for f in gathering.files if f.digest])
    return _report(engine, gathering, count, labels, run, began)


def _reading(tell: Tell) -> Callable[[Progress], None]:
    return lambda at: tell(at.phase, at.bytes_done, at.bytes_total)


class _Journaled:
    """What the journal holds of the inputs; lines of files that were cut off are looked up once for all of them."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lines: dict[str, np.ndarray] | None = None

    def look_up(self, digest: str) -> Literal["all"] | np.ndarray | None:
        """Answer `gather`: everything, these lines, or nothing."""
        state = self._home.files.state(digest)
        if state != "partial":
            return "all" if state == "done" else None
        if self._lines is None:
            self._lines = self._home.journal.lines_of_partial()
        return self._lines[digest]


def _observe(engine: Engine, batch: pa.RecordBatch, labels: Labels | None, count: _Count) -> None:
    """Observe a batch; with labels, hour by hour, so that each is learned once it was known and not before."""
    for part in labels.parts(batch) if labels is not None else [batch]:
        if labels is not None:
            labels.release(engine, part)
        scored = engine.observe(part)
        late = int(scored.late.sum())
        count.late += late
        count.scored += part.num_rows - late
        if labels is not None:
            labels.meet(part, scored.first_seq)


def _urgency(alert: Alert) -> tuple[int, float, str]:
    return -SEVERITIES.index(alert.severity), -alert.tail_bits, alert.id


def _report(  # noqa: PLR0913, PLR0917 - gathers what the steps counted
    engine: Engine, gathering: Gathering, count: _Count, labels: Labels | None, run: Run, began: float
) -> ReplayReport:
    files = gathering.files
    return ReplayReport(
        files=files,
        read=sum(f.read for f in files),
        scored=count.scored,
        late=count.late,
        duplicates=sum(f.duplicates for f in files),
        set_aside=gathering.set_aside,
        filtered=sum(f.filtered for f in files),
        alerts=sorted(engine.home.records.alerts_since(run.first_seq), key=_urgency),
        restrictions=engine.home.records.restrictions(),
        seconds=time.monotonic() - began,
        dead_letter=run.dead_letter,
        set_aside_examples=gathering.set_aside_examples,
        unmatched_labels=labels.unmatched if labels is not None else 0,
    )
