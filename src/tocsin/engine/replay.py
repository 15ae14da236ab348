"""Files in, once: read, ordered by time, journaled, scored, and continued where an earlier run was cut off."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations at run time
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from tocsin.engine.labels import Labels, load_labels
from tocsin.engine.scores import write_scores
from tocsin.record import SEVERITIES
from tocsin.sources import FileReport, gather

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa

    from tocsin.engine.loop import Engine
    from tocsin.record import Alert, Restriction
    from tocsin.sources import Progress

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
    """Most urgent first."""
    restrictions: list[Restriction]
    seconds: float
    dead_letter: Path
    unmatched_labels: int = 0
    """Labels of events that this home has not read."""


class _Count(msgspec.Struct):
    scored: int = 0
    late: int = 0


def replay(engine: Engine, request: ReplayRequest, progress: Tell | None) -> ReplayReport:
    """Observe every event of the request's inputs that this home has not read before."""
    began = time.monotonic()
    first_seq = engine.home.journal.next_seq
    dead_letter = engine.home.path / "dead-letter.jsonl"
    gathering = gather(
        request.paths,
        format=request.format,
        mapping=request.mapping,
        enrichment=engine.enrichment,
        now=engine.clock(),
        dead_letter=dead_letter,
        spill=engine.home.path / "spill",
        skip=lambda digest: _journaled(engine, digest),
        progress=_reading(progress) if progress else None,
    )
    for report in gathering.files:
        if report.skipped is None:
            engine.home.files.begin(report.digest, report.source_file, report.format or "")
    labels = load_labels(request.labels, request.label_delay_s) if request.labels else None
    if labels is not None:
        labels.resume(engine)
    count = _Count()
    for batch in gathering.batches(engine.settings.behaviour.batch_rows):
        _observe(engine, batch, labels, count)
        if progress is not None:
            progress("scoring", count.scored + count.late, sum(f.read for f in gathering.files))
    if labels is not None:
        labels.finish(engine)
    engine.snapshot()
    for report in gathering.files:
        if report.skipped is None and report.complete:
            engine.home.files.done(report.digest)
    if request.scores is not None:
        write_scores(engine.home, request.scores, [f.source_file for f in gathering.files])
    return _report(engine, gathering.files, gathering.set_aside, count, labels, dead_letter, first_seq, began)


def _reading(tell: Tell) -> Callable[[Progress], None]:
    return lambda at: tell(at.phase, at.bytes_done, at.bytes_total)


def _journaled(engine: Engine, digest: str) -> Literal["all"] | np.ndarray | None:
    state = engine.home.files.state(digest)
    if state == "done":
        return "all"
    return engine.home.journal.lines(digest) if state == "partial" else None


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
    engine: Engine,
    files: list[FileReport],
    set_aside: int,
    count: _Count,
    labels: Labels | None,
    dead_letter: Path,
    first_seq: int,
    began: float,
) -> ReplayReport:
    alerts = engine.home.records.alerts()
    started = {f.alert_id for f in engine.home.records.findings() if f.seq >= first_seq}
    return ReplayReport(
        files=files,
        read=sum(f.read for f in files),
        scored=count.scored,
        late=count.late,
        duplicates=sum(f.duplicates for f in files),
        set_aside=set_aside,
        filtered=sum(f.filtered for f in files),
        alerts=sorted((alert for alert in alerts if alert.id in started), key=_urgency),
        restrictions=engine.home.records.restrictions(),
        seconds=time.monotonic() - began,
        dead_letter=dead_letter,
        unmatched_labels=labels.unmatched if labels is not None else 0,
    )
