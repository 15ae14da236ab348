"""What became known of events, and when: fed to the model from that moment and not before."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tocsin.engine.controls import Verdicts
from tocsin.errors import UsageError
from tocsin.store import Control, Events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin.engine.loop import Engine

__all__ = ["Labels", "load_labels"]

_HOUR_S: Final = 3_600
_NEVER: Final = -(1 << 40)
_US: Final = 1_000_000
_TRUE_WORDS: Final = ("1", "true", "True", "yes", "bad", "fraud")


class _OfFile(NamedTuple):
    lines: NDArray[np.int64]
    """Sorted."""
    bad: NDArray[np.bool_]
    known_s: NDArray[np.float64]
    """NaN where the delay decides."""


class Labels:
    """Labels by file and line, waiting for their events and then for their time."""

    def __init__(self, by_file: dict[str, _OfFile], delay_s: float | None) -> None:
        self._by_file, self._delay_s = by_file, delay_s
        self._names: dict[str, str | None] = {}
        self._seqs = np.zeros(0, np.int64)
        self._bad = np.zeros(0, bool)
        self._known_s = np.zeros(0)
        self._matched = 0
        self._hour = _NEVER
        """Newest hour begun, by the time of events: labels are released when it rises, and only then."""

    @property
    def unmatched(self) -> int:
        """Labels whose event has not been met."""
        return sum(len(one.lines) for one in self._by_file.values()) - self._matched

    def parts(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Cut a batch where a new hour begins."""
        cuts = np.flatnonzero(np.diff(np.maximum.accumulate(_hours(batch)))) + 1
        edges = [0, *cuts.tolist(), batch.num_rows]
        for start, stop in pairwise(edges):
            yield batch.slice(start, stop - start)

    def meet(self, batch: pa.RecordBatch, first_seq: int) -> None:
        """Take note of the labels of events that have just been observed."""
        files = batch.column("source_file").dictionary_encode()
        for code, name in enumerate(files.dictionary.to_pylist()):
            known = self._of(name or "")
            if known is None:
                continue
            rows = np.flatnonzero(files.indices.to_numpy(zero_copy_only=False) == code)
            lines = batch.column("source_line").take(rows).to_numpy(zero_copy_only=False)
            at = np.minimum(np.searchsorted(known.lines, lines), len(known.lines) - 1)
            hit = known.lines[at] == lines
            rows, at = rows[hit], at[hit]
            times = batch.column("time").cast(pa.int64()).to_numpy()[rows] / _US
            due = known.known_s[at]
            due = np.where(np.isnan(due), times + (self._delay_s or 0.0), due)
            self._wait(first_seq + rows, known.bad[at], np.maximum(due, times))

    def _wait(self, seqs: NDArray[np.int64], bad: NDArray[np.bool_], known_s: NDArray[np.float64]) -> None:
        self._matched += len(seqs)
        self._seqs = np.concatenate([self._seqs, seqs])
        self._bad = np.concatenate([self._bad, bad])
        self._known_s = np.concatenate([self._known_s, known_s])

    def release(self, engine: Engine, part: pa.RecordBatch) -> None:
        """Journal and learn what was known before a new hour, when `part` begins one.

        INVARIANT: what is released where follows from the journal, never from where a batch or a run ends.
        """
        if part.num_rows and (hour := int(_hours(part)[0])) > self._hour:
            self._hour = hour
            self._release(engine, hour)

    def _release(self, engine: Engine, hour: int) -> None:
        due = self._known_s <= hour * _HOUR_S
        if not due.any():
            return
        order = np.lexsort((self._seqs[due], self._known_s[due]))
        verdicts = Verdicts(self._seqs[due][order].tobytes(), self._bad[due][order].tobytes(), hour)
        engine.controls.write("verdicts", msgspec.msgpack.encode(verdicts))
        self._seqs, self._bad, self._known_s = self._seqs[~due], self._bad[~due], self._known_s[~due]

    def finish(self, engine: Engine) -> None:
        """Learn what was known by the end of the newest hour; the rest was not known yet."""
        if engine.model.newest is not None:
            self._release(engine, int(engine.model.newest.timestamp()) // _HOUR_S + 1)

    def resume(self, engine: Engine) -> None:
        """Wait again for what an earlier run had met and not yet learned."""
        learned: list[NDArray[np.int64]] = []
        for entry in engine.home.journal.read():
            if isinstance(entry, Events):
                self.meet(entry.batch, entry.first_seq)
                self._hour = max(self._hour, int(_hours(entry.batch).max(initial=_NEVER)))
            elif isinstance(entry, Control) and entry.kind == "verdicts":
                told = msgspec.msgpack.decode(entry.body, type=Verdicts)
                learned.append(np.frombuffer(told.seqs, np.int64))
        if learned:
            open_still = ~np.isin(self._seqs, np.concatenate(learned))
            self._seqs, self._bad = self._seqs[open_still], self._bad[open_still]
            self._known_s = self._known_s[open_still]

    def _of(self, name: str) -> _OfFile | None:
        """Labels of a file: under its whole name, else under the one labelled name that ends like it."""
        if name not in self._names:
            found: str | None = name if name in self._by_file else None
            if found is None:
                alike = [k for k in self._by_file if k.endswith("/" + name) or name.endswith("/" + k)]
                found = alike[0] if len(alike) == 1 else None
            self._names[name] = found
        found = self._names[name]
        return self._by_file[found] if found is not None else None


def _hours(batch: pa.RecordBatch) -> NDArray[np.int64]:
    hours: NDArray[np.int64] = batch.column("time").cast(pa.int64()).to_numpy() // (_HOUR_S * _US)
    return hours


def load_labels(path: Path, delay_s: float | None) -> Labels:
    """Read `source_file, source_line, label` and `known_at` (or use `delay_s` after the event).

    `label` is a number or a word: 1, true, yes, bad and fraud are bad; the rest is good. Raises `UsageError` when a
    column is missing or cannot be read.
    """
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else pacsv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"the labels `{path}` cannot be read: {error}", hint="give a Parquet or CSV file") from error
    missing = {"source_file", "source_line", "label"} - set(table.column_names)
    if missing:
        raise UsageError(
            f"the labels `{path}` lack {', '.join(sorted(missing))}",
            hint="columns are source_file, source_line, label and known_at",
        )
    if "known_at" not in table.column_names and delay_s is None:
        raise UsageError(
            f"the labels `{path}` do not say when they were known", hint="add known_at, or --label-delay 7d"
        )
    table = table.combine_chunks()
    return Labels(_by_file(table), delay_s)


def _known(table: pa.Table) -> NDArray[np.float64]:
    """Seconds since 1970; NaN where the table does not say."""
    if "known_at" not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column("known_at")
    if pa.types.is_string(column.type):
        column = pc.strptime(pc.utf8_slice_codeunits(column, 0, 19), "%Y-%m-%dT%H:%M:%S", "us")
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return np.asarray(column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() / _US)
    return np.asarray(column.cast(pa.float64()).to_numpy())


def _bad(table: pa.Table) -> NDArray[np.bool_]:
    column = table.column("label")
    if pa.types.is_boolean(column.type):
        return np.asarray(column.fill_null(False).to_numpy())
    if pa.types.is_string(column.type):
        return np.asarray(pc.is_in(column, value_set=pa.array(_TRUE_WORDS)).to_numpy())
    return np.asarray(column.cast(pa.float64()).fill_null(0).to_numpy() > 0)


def _by_file(table: pa.Table) -> dict[str, _OfFile]:
    lines = table.column("source_line").cast(pa.int64()).to_numpy()
    bad, known = _bad(table), _known(table)
    encoded = table.column("source_file").combine_chunks()
    encoded = (encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    found = {}
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        rows = np.flatnonzero(codes == code)
        rows = rows[np.argsort(lines[rows], kind="stable")]
        found[str(name)] = _OfFile(lines[rows], bad[rows], known[rows])
    return found
