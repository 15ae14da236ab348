"""Events met lately, so that one delivered twice is observed once.

Two deliveries are the same event when uid, time, subject and action are the same, as in files: a uid alone comes from
whoever writes the log, and must not be a way to have somebody else's event passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store import Events

if TYPE_CHECKING:
    from tocsin.store import Journal

__all__ = ["Recent"]

_IDENTITY: Final = ("uid", "subject", "action")


class Recent:
    """Up to `most` events that had a uid, the oldest forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._met: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._met)

    def recall(self, journal: Journal) -> None:
        """Remember the last events of a journal, as they would be had the process never stopped."""
        for entry in journal.read(max(0, journal.committed_seq - self._most)) if self._most else ():
            if isinstance(entry, Events):
                self.fresh(entry.batch)

    def fresh(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Leave out the events met before, and remember the rest."""
        rows = np.flatnonzero(batch.column("uid").is_valid().to_numpy(zero_copy_only=False))
        if not self._most or not len(rows):
            return batch
        again = [row for row, key in zip(rows.tolist(), _keys(batch, rows), strict=True) if not self._new(key)]
        if not again:
            return batch
        keep = np.ones(batch.num_rows, bool)
        keep[again] = False
        return batch.filter(pa.array(keep))

    def _new(self, key: int) -> bool:
        if key in self._met:
            return False
        self._met[key] = None
        if len(self._met) > self._most:
            del self._met[next(iter(self._met))]
        return True


def _keys(batch: pa.RecordBatch, rows: np.ndarray) -> list[int]:
    """64-bit hashes, keyed per process, of what names an event."""
    chosen = batch.select(["time", *_IDENTITY]).take(pa.array(rows))
    times = pc.cast(chosen.column("time"), pa.int64()).to_pylist()
    parts = (chosen.column(name).to_pylist() for name in _IDENTITY)
    return [hash(identity) for identity in zip(times, *parts, strict=True)]
