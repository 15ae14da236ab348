"""What was observed or decided and is not yet durable: it waits in order, and leaves as one piece of work for the disk.

The one who scores never waits for a disk: `Waiting.take` is a few assignments, and the `HandOver` it gives can be
written by another thread while scoring goes on. One thread writes, one hand-over after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tocsin.engine.traces import joined, score_columns
from tocsin.event import to_batch

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from tocsin.behaviour import Observed
    from tocsin.engine.story import Changes
    from tocsin.event import Event
    from tocsin.store import Home, Records, ScoreColumns

__all__ = ["Deed", "HandOver", "Snapshot", "Waiting"]

_MOST: Final = 1_000


Deed = Callable[["Records"], object]
"""Something to be written into the records: an audit row, a lift, a verdict."""


class Snapshot(NamedTuple):
    """The profiles as of event `seq`, copied."""

    seq: int
    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]


class _Control(NamedTuple):
    kind: str
    body: bytes


class _Batch(NamedTuple):
    events: pa.RecordBatch
    subjects: NDArray[np.uint64]
    observed: Observed


class _Run:
    """Single events that follow one another."""

    __slots__ = ("events", "observed", "subjects")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.subjects: list[int] = []
        self.observed: list[Observed] = []

    def batch(self) -> tuple[pa.RecordBatch, NDArray[np.uint64]]:
        return to_batch(self.events), np.array(self.subjects, np.uint64)

    def scores(self) -> ScoreColumns:
        return score_columns(joined(self.observed))


class HandOver:
    """Work for the disk, in the order in which it was observed and decided."""

    def __init__(self, home: Home, items: list[_Control | _Batch | _Run], changes: Changes, deeds: list[Deed]) -> None:
        self._home, self._items, self._changes, self._deeds = home, items, changes, deeds
        self.snapshot: Snapshot | None = None

    def write(self) -> None:
        """Make it durable: the journal with one flush, then scores, records, audit, and a snapshot if one is due."""
        kept = [self._append(item) for item in self._items]
        self._home.journal.commit()
        for first_seq, columns in filter(None, kept):
            self._home.scores.append(first_seq, *columns)
        self._changes.write(self._home)
        for deed in self._deeds:
            deed(self._home.records)
        if self.snapshot is not None:
            self._home.scores.durable()
            self._home.snapshots.write(*self.snapshot)

    def _append(self, item: _Control | _Batch | _Run) -> tuple[int, ScoreColumns] | None:
        journal = self._home.journal
        if isinstance(item, _Control):
            journal.append_control(*item)
            return None
        if isinstance(item, _Batch):
            return journal.append_events(item.events, item.subjects), score_columns(item.observed)
        return journal.append_events(*item.batch()), item.scores()


class Waiting:
    """Events scored, controls applied and deeds for the records, none of it durable yet."""

    def __init__(self) -> None:
        self._items: list[_Control | _Batch | _Run] = []
        self._deeds: list[Deed] = []
        self._run: _Run | None = None
        self.events = 0
        """How many events wait."""

    def __bool__(self) -> bool:
        return bool(self._items or self._deeds)

    @property
    def full(self) -> bool:
        """Whether one who writes for itself should write now."""
        return self.events >= _MOST

    def add(self, event: Event, subject: int, observed: Observed) -> None:
        """Let an event wait, with the keyed hash of its subject and what was said of it."""
        run = self._run
        if run is None:
            run = self._run = _Run()
            self._items.append(run)
        run.events.append(event)
        run.subjects.append(subject)
        run.observed.append(observed)
        self.events += 1

    def add_batch(self, events: pa.RecordBatch, subjects: NDArray[np.uint64], observed: Observed) -> None:
        """Let a batch wait."""
        self._run = None
        self._items.append(_Batch(events, subjects, observed))
        self.events += events.num_rows

    def add_control(self, kind: str, body: bytes) -> None:
        """Let a control wait for its place behind what was observed so far."""
        self._run = None
        self._items.append(_Control(kind, body))

    def add_deed(self, deed: Deed) -> None:
        """Let something be written into the records once what came before it is durable."""
        self._deeds.append(deed)

    def take(self, home: Home, changes: Changes) -> HandOver:
        """Hand everything over and wait for more."""
        work = HandOver(home, self._items, changes, self._deeds)
        self._items, self._deeds, self._run, self.events = [], [], None, 0
        return work
