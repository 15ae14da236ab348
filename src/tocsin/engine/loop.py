"""The engine: one writer over one home, scoring in journal order.

Whatever a score depends on is journaled before it is used, so that the state at any place of the journal can be
made again from the last snapshot and what follows it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from tocsin.behaviour import FLAG_PRIVILEGED, FLAG_SENSITIVE, Encoded, Model, encode, judge, key_of, reasons
from tocsin.config import Entities, Settings
from tocsin.engine.controls import Controls
from tocsin.engine.facts import apply_facts, peer_groups
from tocsin.engine.replay import ReplayReport, ReplayRequest, Tell, replay
from tocsin.engine.story import Rung, Story
from tocsin.event import to_batch
from tocsin.record import Score
from tocsin.sources import Enrichment
from tocsin.store import Control, Home, ScoreColumns

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import pyarrow as pa
    from numpy.typing import NDArray

    from tocsin.behaviour import Observed
    from tocsin.event import Event
    from tocsin.record import Finding, Risk, Verdict

__all__ = ["Engine", "Scored"]

_TRACE_STEPS: Final = 8.0
"""Steps in a bit of the calibrated bits kept with every score."""
_TRACE_MOST: Final = 255
_READ_TOGETHER: Final = 64
"""Scores that lie this close, on average, are read in one go."""
_HOUR_S: Final = 3_600


class Scored(NamedTuple):
    """What became of a batch; place `i` is event `first_seq + i`."""

    first_seq: int
    surprise_bits: NDArray[np.float64]
    tail_bits: NDArray[np.float64]
    accumulated_bits: NDArray[np.float32]
    alert: NDArray[np.bool_]
    late: NDArray[np.bool_]
    findings: list[Finding]


def _now() -> datetime:
    return datetime.now(UTC)


class Engine:
    """Observes events, remembers what is normal, rings and restricts. Open it with `Engine.open`."""

    def __init__(self, home: Home, settings: Settings, entities: Entities, clock: Callable[[], datetime]) -> None:
        self.home, self.settings, self.entities, self.clock = home, settings, entities, clock
        self._seq = self._since_snapshot = 0
        self.enrichment = Enrichment(
            asn_mmdb=Path(settings.enrich.asn_mmdb) if settings.enrich.asn_mmdb else None,
            country_mmdb=Path(settings.enrich.country_mmdb) if settings.enrich.country_mmdb else None,
        )
        self.key = key_of(home.hash_key)
        self._recover()

    @classmethod
    def open(
        cls,
        home: str | Path,
        settings: Settings | None = None,
        *,
        entities: Entities | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> Self:
        """Open a home as its one writer and bring the profiles up to the end of its journal.

        Raises `HomeLocked` when another process is the writer, `JournalDamaged` or `StoreError` otherwise.
        """
        opened = Home.open(home, writer=True, clock=clock)
        try:
            return cls(opened, settings or Settings(), entities or Entities(), clock)
        except BaseException:
            opened.close()
            raise

    # --- events

    def observe(self, batch: pa.RecordBatch) -> Scored:
        """Journal a batch in `EVENT_SCHEMA`, then score it and let it teach; durable when this returns.

        Rows must be in the order in which they are to be scored: by time, as sources hand them out.
        """
        self.flush()
        batch = apply_facts(batch, self.entities)
        encoded = encode(batch, self.key)
        first_seq = self.home.journal.append_events(batch, encoded.subject)
        self.home.journal.commit()
        scored = self._score(batch, encoded, first_seq)
        if self._since_snapshot >= self.settings.behaviour.snapshot_events:
            self.snapshot()
        return scored

    def observe_one(self, event: Event) -> Score:
        """Score one live event at once; it is journaled with the others by the next `flush`."""
        event = self.enrichment.enrich_one(event)
        batch = apply_facts(to_batch([event]), self.entities)
        encoded = encode(batch, self.key)
        first_seq = self.home.journal.append_events(batch, encoded.subject)
        scored = self._score(batch, encoded, first_seq)
        return Score(
            seq=first_seq,
            surprise_bits=float(scored.surprise_bits[0]),
            tail_bits=float(scored.tail_bits[0]),
            accumulated_bits=float(scored.accumulated_bits[0]),
            alert=bool(scored.alert[0]),
            reasons=scored.findings[0].reasons if scored.findings else (),
        )

    def flush(self) -> None:
        """Make everything observed so far durable."""
        self.home.journal.commit()

    def replay(self, request: ReplayRequest, progress: Tell | None = None) -> ReplayReport:
        """Read files, folders or standard input, and observe all their events in the order of time."""
        return replay(self, request, progress)

    def _score(
        self, batch: pa.RecordBatch, encoded: Encoded, first_seq: int, erased: NDArray[np.bool_] | None = None
    ) -> Scored:
        observed = self.model.observe(encoded, first_seq, skip=erased)
        self._keep(observed, first_seq)
        findings = self._tell(batch, encoded, observed, first_seq)
        self._since_snapshot += batch.num_rows
        self._seq = first_seq + batch.num_rows
        self.controls.at_seq = 0
        return Scored(
            first_seq,
            observed.out.surprise,
            observed.out.tail,
            observed.accumulated,
            observed.alert_seq >= 0,
            observed.late,
            findings,
        )

    def _keep(self, observed: Observed, first_seq: int) -> None:
        trace = np.minimum(observed.out.x * _TRACE_STEPS, _TRACE_MOST).astype(np.uint8)
        self.home.scores.append(
            first_seq,
            observed.out.surprise.astype(np.float32),
            observed.out.tail.astype(np.float32),
            observed.accumulated,
            observed.alert_seq >= 0,
            observed.late,
            trace,
        )

    def _tell(self, batch: pa.RecordBatch, encoded: Encoded, observed: Observed, first_seq: int) -> list[Finding]:
        findings = []
        weights = self.model.calib.weights
        rang = np.flatnonzero(observed.alert_seq >= 0)
        for i, row in zip(rang, batch.take(rang).to_pylist(), strict=True) if len(rang) else ():
            rung = Rung(
                seq=first_seq + int(i),
                alert_seq=int(observed.alert_seq[i]),
                row=row,
                surprise_bits=float(observed.out.surprise[i]),
                tail_bits=float(observed.out.tail[i]),
                accumulated_bits=float(observed.accumulated[i]),
                reasons=reasons(
                    observed.out.x[i], observed.out.facts[i], weights[encoded.kind[i]], float(observed.extra[i]), row
                ),
                absolute=bool(observed.absolute[i]),
                privileged=bool(encoded.flags[i] & FLAG_PRIVILEGED),
                sensitive=bool(encoded.flags[i] & FLAG_SENSITIVE),
            )
            findings.append(self.story.take(rung, self.model.population))
        newest = self.model.newest
        if newest is not None:
            self.story.flush(self.home, newest)
        return findings

    # --- what became known

    def learn(self, verdict: Verdict) -> None:
        """Let one verdict of a person teach: the learner, and what waits in quarantine."""
        known_hour = int(verdict.known_at.timestamp()) // _HOUR_S
        self.learn_many(np.array([verdict.seq]), np.array([verdict.bad]), known_hour)

    def learn_many(self, seqs: NDArray[np.int64], bad: NDArray[np.bool_], known_hour: int) -> None:
        """Let verdicts on events `seqs` teach, known before `known_hour` (hours since 1970)."""
        held = (seqs >= 0) & (seqs < self._seq)
        if not held.any():
            return
        seqs, bad = seqs[held], bad[held]
        order = np.argsort(seqs, kind="stable")
        seqs, bad = seqs[order], bad[order]
        (batch,) = self.home.journal.take(seqs).combine_chunks().to_batches()
        encoded = encode(batch, self.key)
        trace = self._traces(seqs)
        self.model.learn(encoded, trace.trace.astype(np.float32) / _TRACE_STEPS, bad, known_hour)
        far = bad | (trace.tail >= self.settings.behaviour.quarantine_bits)
        if far.any():
            judge(self.model.ents, Encoded(*(column[far] for column in encoded)), bad[far])

    def _traces(self, seqs: NDArray[np.int64]) -> ScoreColumns:
        """Scores of events `seqs`, which are sorted."""
        first, last = int(seqs[0]), int(seqs[-1]) + 1
        if last - first <= _READ_TOGETHER * len(seqs):
            run = self.home.scores.read(first, last)
            return ScoreColumns._make(column[seqs - first] for column in run)
        rows = [self.home.scores.read(int(seq), int(seq) + 1) for seq in seqs]
        return ScoreColumns._make(np.concatenate(columns) for columns in zip(*rows, strict=True))

    # --- what is known

    def risk(self, entity: str) -> Risk:
        """Where an entity stands at the time of the newest event."""
        return self.story.risk(entity, self.model.newest or self.clock())

    def profile(self, entity: str) -> dict[str, Any] | None:
        """Describe what is normal for an entity, in plain values; None when it was never seen."""
        return self.model.describe(entity, self.key)

    # --- staying true

    def _recover(self) -> None:
        """Start from the last snapshot and score again what the journal holds beyond it."""
        self.model = Model(self.settings, self.home.path / "cold")
        self.controls = Controls(self)
        snapshot = self.home.snapshots.latest()
        start, meta = 0, {}
        if snapshot is not None:
            self.model.restore(snapshot.arrays)
            start, meta = snapshot.seq, snapshot.meta
        self.story = Story(self.settings, meta.get("story"))
        self.controls.restore(meta.get("controls", {}))
        self.home.scores.truncate(start)
        self._seq, self._since_snapshot = start, 0
        passed = self.controls.at_seq
        for entry in self.home.journal.read(start):
            if isinstance(entry, Control):
                if entry.seq == start and passed > 0:
                    passed -= 1
                    continue
                self.controls.apply(entry.kind, entry.body)
                self.controls.at_seq += 1
            else:
                self._score(entry.batch, encode(entry.batch, self.key), entry.first_seq, entry.erased)
        self.controls.settle(self.settings, peer_groups(self.entities))

    def snapshot(self) -> None:
        """Write the profiles down with their place in the journal."""
        self.flush()
        self.home.scores.durable()
        meta = {"story": self.story.state(), "controls": self.controls.state()}
        self.home.snapshots.write(self._seq, self.model.arrays(), meta)
        self._since_snapshot = 0

    def close(self) -> None:
        """Make everything durable, write a snapshot when something was learned since the last, and let go."""
        try:
            if self._since_snapshot or self.controls.at_seq:
                self.snapshot()
        finally:
            self.home.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.home.close()
