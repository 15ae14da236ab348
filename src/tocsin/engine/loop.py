"""The engine: one writer over one home, scoring in journal order.

Whatever a score depends on is journaled before it is used, so that the state at any place of the journal can be
made again from the last snapshot and what follows it. A reader does just that, in memory, beside a running writer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec

from tocsin.behaviour import Model, encode, key_of
from tocsin.behaviour.single import SingleEncoder
from tocsin.config import Entities, Settings
from tocsin.engine.controls import Controls
from tocsin.engine.erasure import erase
from tocsin.engine.facts import apply_facts, apply_facts_to_one, peer_groups
from tocsin.engine.findings import findings, score_of
from tocsin.engine.live import HandOver, Snapshot, Waiting
from tocsin.engine.replay import ReplayReport, ReplayRequest, Tell, replay
from tocsin.engine.story import Story
from tocsin.engine.traces import MemoryScores, keep_scores
from tocsin.errors import StoreError
from tocsin.event import Event
from tocsin.sources import Enrichment
from tocsin.store import Control, Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from tocsin.behaviour import Encoded, Observed
    from tocsin.engine.story import Changes
    from tocsin.record import Finding, Risk, Score

__all__ = ["Engine", "Scored"]

_UNBOUNDED: Final = 1 << 31


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
        self.reader = not home.writer
        self.seq = self._since_snapshot = 0
        """Seq of the next event to be scored."""
        self.enrichment = Enrichment(
            asn_mmdb=Path(settings.enrich.asn_mmdb) if settings.enrich.asn_mmdb else None,
            country_mmdb=Path(settings.enrich.country_mmdb) if settings.enrich.country_mmdb else None,
        )
        self.key = key_of(home.hash_key)
        self.waiting, self._encoder = Waiting(), SingleEncoder(self.key)
        self.hosted = False
        """Whether another thread writes what `hand_over` gives; nothing here then waits for a disk."""
        self._settled = False
        self._recover()

    @classmethod
    def open(
        cls,
        home: str | Path,
        settings: Settings | None = None,
        *,
        entities: Entities | None = None,
        clock: Callable[[], datetime] = _now,
        writer: bool = True,
    ) -> Self:
        """Open a home and bring the profiles up to the end of its journal.

        With `writer=False` nothing is written and another process may be the writer: the profiles are those of the
        moment of opening. Raises `HomeLocked` when another process is the writer and this one would be too,
        `JournalDamaged` or `StoreError` otherwise.
        """
        opened = Home.open(home, writer=writer, clock=clock)
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
        self.settle()
        self.flush()
        batch = apply_facts(batch, self.entities)
        encoded = encode(batch, self.key)
        first_seq = self.home.journal.append_events(batch, encoded.subject)
        self.home.journal.commit()
        scored = self._score(batch, encoded, first_seq)
        if self._since_snapshot >= self.settings.behaviour.snapshot_events:
            self.snapshot()
        return scored

    def take(self, batch: pa.RecordBatch) -> Scored:
        """Score a batch in `EVENT_SCHEMA` at once, as `observe` does; it is journaled by the next `flush`."""
        self.settle()
        batch = apply_facts(batch, self.entities)
        encoded = encode(batch, self.key)
        first_seq, before = self.seq, float(self.model.clock[0])
        observed = self.model.observe(encoded, first_seq)
        self.waiting.add_batch(batch, encoded.subject, observed)
        return self._told(batch, encoded, observed, first_seq, before)

    def observe_one(self, event: Event) -> Score:
        """Score one live event at once; it is journaled with the others by the next `flush`.

        Restrictions act at once; alerts are written down by the next `flush`, after the events they rest on.
        """
        return self.observe_ready(self.ready(event))

    def ready(self, event: Event) -> Event:
        """Add to an event what its address and agent say, and what the operator knows of its entities."""
        return apply_facts_to_one(self.enrichment.enrich_one(event), self.entities)

    def observe_ready(self, event: Event, answer: Callable[[Event, Score], Event] | None = None) -> Score:
        """Score one event that is `ready`; `answer` may add what was decided before it waits for the journal."""
        if not self._settled:
            self.settle()
        encoded = self._encoder.encode(event)
        seq, before = self.seq, float(self.model.clock[0])
        observed = self.model.observe(encoded, seq)
        found = findings(self, (event,), encoded, observed, seq, before) if observed.alert_seq[0] >= 0 else []
        score = score_of(self, event, encoded, observed, seq, found)
        subject = int(encoded.subject[0])
        self.seq += 1
        self._since_snapshot += 1
        self.controls.at_seq = 0
        try:
            event = event if answer is None else answer(event, score)
        finally:  # what was scored must stand in the journal, whatever became of the answer
            self.waiting.add(event, subject, observed)
        if self.waiting.full and not self.hosted:
            self.flush()
        return score

    def rehearse(self) -> None:
        """Run a made-up event through a model of its own, so that the first real one finds everything at hand."""
        event = Event(time=self.clock(), kind="api", subject="user:nobody", action="nothing")
        with TemporaryDirectory() as folder:
            Model(self.settings, Path(folder)).observe(SingleEncoder(self.key).encode(event), 0)

    def flush(self) -> None:
        """Make everything observed so far durable, then what came of it."""
        work = self.hand_over()
        if work is not None:
            work.write()

    def hand_over(self) -> HandOver | None:
        """Give what waits for the disk; None when nothing does. Whoever takes it writes it before the next."""
        changes = self._changes()
        if not (self.waiting or changes):
            return None
        work = self.waiting.take(self.home, changes)
        if self.hosted and self._since_snapshot >= self.settings.behaviour.snapshot_events:
            arrays = {name: array.copy() for name, array in self.model.arrays().items()}
            work.snapshot = Snapshot(self.seq, arrays, self._meta())
            self._since_snapshot = 0
        return work

    def note(self, actor: str, action: str, detail: dict[str, Any]) -> None:
        """Let a row for the audit wait for the next `flush`."""
        self.waiting.add_deed(lambda records: records.audit(actor, action, detail))

    def replay(self, request: ReplayRequest, progress: Tell | None = None) -> ReplayReport:
        """Read files, folders or standard input, and observe all their events in the order of time."""
        return replay(self, request, progress)

    def _score(
        self, batch: pa.RecordBatch, encoded: Encoded, first_seq: int, erased: NDArray[np.bool_] | None = None
    ) -> Scored:
        before = float(self.model.clock[0])
        observed = self.model.observe(encoded, first_seq, skip=erased)
        keep_scores(self.scores, observed, first_seq)
        scored = self._told(batch, encoded, observed, first_seq, before)
        changes = self._changes()
        if not self.reader:
            changes.write(self.home)
        return scored

    def _changes(self) -> Changes:
        """Hand over what changed; an event dated ahead of the clock ends nothing that is in force until then."""
        now = self.clock()
        return self.story.changes(min(self.model.newest or now, now))

    def _told(
        self, batch: pa.RecordBatch, encoded: Encoded, observed: Observed, first_seq: int, before: float
    ) -> Scored:
        """Say what became of a batch, once the story has taken in what rang."""
        found = findings(self, batch, encoded, observed, first_seq, before)
        self._since_snapshot += batch.num_rows
        self.seq = first_seq + batch.num_rows
        self.controls.at_seq = 0
        out = observed.out
        return Scored(
            first_seq, out.surprise, out.tail, observed.accumulated, observed.alert_seq >= 0, observed.late, found
        )

    # --- what is known

    def risk(self, entity: str) -> Risk:
        """Where an entity stands at the time of the newest event."""
        return self.story.risk(entity, self.model.newest or self.clock())

    def profile(self, entity: str) -> dict[str, Any] | None:
        """Describe what is normal for an entity, in plain values; None when it was never seen."""
        return self.model.describe(entity, self.key)

    def erase(self, entity: str, by: str = "") -> int:
        """Forget an entity for good, whatever is kept of it; returns how many events can no longer be opened."""
        return erase(self, entity, by)

    # --- staying true

    def configure(self, settings: Settings) -> None:
        """Take on settings that stand in the journal; they hold from the next event on."""
        if self.reader:  # idle profiles go to disk only where somebody may write
            unbounded = msgspec.structs.replace(settings.behaviour, max_entities=_UNBOUNDED)
            settings = msgspec.structs.replace(settings, behaviour=unbounded)
        self.model.configure(settings)
        self.story.configure(settings)

    def settle(self) -> None:
        """Journal this engine's own settings and groups where they differ from those in force; once."""
        if self.reader:
            raise StoreError("this home was opened for reading", hint="open it with `writer=True`")
        if not self._settled:
            self.controls.settle(self.settings, peer_groups(self.entities))
            self._settled = True

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
        self.scores = MemoryScores(self.home.scores, start) if self.reader else self.home.scores
        self.scores.truncate(start)
        self.seq, self._since_snapshot = start, 0
        passed = self.controls.at_seq
        for entry in self.home.journal.read(start):
            if isinstance(entry, Control):
                if entry.seq == start and passed > 0:
                    passed -= 1
                    continue
                self.controls.take(entry.kind, entry.body)
            else:
                self._score(entry.batch, encode(entry.batch, self.key), entry.first_seq, entry.erased)

    def snapshot(self, *, alone: bool = False) -> None:
        """Write the profiles down with their place in the journal; `alone` removes all earlier snapshots."""
        self.flush()
        self.home.scores.durable()
        self.home.snapshots.write(self.seq, self.model.arrays(), self._meta(), alone=alone)
        if alone:
            self.model.purge()
        self._since_snapshot = 0

    def _meta(self) -> dict[str, Any]:
        return {"story": self.story.state(), "controls": self.controls.state()}

    def close(self) -> None:
        """Make everything durable, write a snapshot when something was learned since the last, and let go."""
        try:
            if not self.reader and (self._since_snapshot or self.controls.unsaved):
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
