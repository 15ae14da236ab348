"""The last step: sorted columns become `EVENT_SCHEMA` batches, enriched, without duplicates.

A duplicate has the same `uid`, time, subject and action as an event before it. Equal times stand together
in the order, so only the events of one instant are ever compared and memory stays bounded. Lines that the
journal already holds take part in that comparison and are then left out: a continued run hands out what
an uninterrupted one would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.event import EVENT_SCHEMA
from tocsin.sources.admission import TIE, split_tie
from tocsin.sources.tables import whole_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tocsin.sources.enrichment import Enrichment
    from tocsin.sources.intake import FileReport

__all__ = ["Handout"]

_IDENTITY: Final = ("uid", "subject", "action")


class Handout:
    """Turns ordered windows into batches and keeps the files' counts."""

    def __init__(
        self, files: Sequence[FileReport], journaled: Mapping[int, np.ndarray | None], enrichment: Enrichment
    ) -> None:
        self._files = files
        self._journaled = {n: np.unique(lines) for n, lines in journaled.items() if lines is not None and len(lines)}
        self._enrichment = enrichment
        self._instant: int | None = None
        self._seen: set[int] = set()
        """64-bit hashes (keyed per process) of the identities met in the instant `_instant`, across windows."""

    def batches(self, windows: Iterator[pa.Table], rows: int) -> Iterator[pa.RecordBatch]:
        """Yield batches of `rows` events, the last one shorter."""
        held: list[pa.Table] = []
        count = 0
        for window in windows:
            fresh = self._fresh(window)
            if not len(fresh):
                continue
            held.append(fresh)
            count += len(fresh)
            while count >= rows:
                table = pa.concat_tables(held, promote_options="default")
                yield self._finished(table.slice(0, rows))
                held, count = [table.slice(rows)], count - rows
        if count:
            yield self._finished(pa.concat_tables(held, promote_options="default"))

    def _fresh(self, window: pa.Table) -> pa.Table:
        keep = np.ones(len(window), bool)
        ordinals, lines = split_tie(window[TIE].to_numpy())
        if "uid" in window.column_names:
            again = self._repeats(window)
            keep[again] = False
            for ordinal, times in zip(*np.unique(ordinals[again], return_counts=True), strict=True):
                self._files[ordinal].duplicates += int(times)
        for ordinal, known in self._journaled.items():
            old = keep & (ordinals == ordinal) & np.isin(lines, known)
            self._files[ordinal].journaled += int(old.sum())
            keep &= ~old
        return window if keep.all() else window.filter(pa.array(keep))

    def _repeats(self, window: pa.Table) -> np.ndarray:
        """Return the rows that repeat an identity of the same instant."""
        times = window["time"].cast(pa.int64()).to_numpy()
        shared = np.zeros(len(times), bool)
        shared[1:] = times[1:] == times[:-1]
        shared[:-1] |= shared[1:]
        if len(times) and self._instant is not None:
            shared |= times == self._instant
        shared[-1:] = True
        shared &= ~pc.is_null(window["uid"]).to_numpy()
        rows = np.flatnonzero(shared)
        identities = window.select(list(_IDENTITY)).take(pa.array(rows))
        again = []
        for row, identity in zip(
            rows.tolist(), zip(*(c.to_pylist() for c in identities.columns), strict=True), strict=True
        ):
            if times[row] != self._instant:
                self._instant, self._seen = int(times[row]), set()
            key = hash(identity)
            if key in self._seen:
                again.append(row)
            self._seen.add(key)
        return np.array(again, np.int64)

    def _finished(self, table: pa.Table) -> pa.RecordBatch:
        columns = whole_columns(table)
        ordinals, lines = split_tie(columns.pop(TIE).to_numpy())
        names = pa.array([f.source_file for f in self._files], pa.string())
        columns["source_file"] = names.take(pa.array(ordinals))
        columns["source_line"] = pa.array(lines)
        outcome = columns.get("outcome")
        columns["outcome"] = pa.repeat("unknown", len(table)) if outcome is None else pc.fill_null(outcome, "unknown")
        self._enrichment.enrich(columns)
        nothing = len(table)
        arrays = [columns[f.name] if f.name in columns else pa.nulls(nothing, f.type) for f in EVENT_SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=EVENT_SCHEMA)
