"""All events of a gathering in one order, by time, then file, then line, in bounded memory.

Finite inputs are collected in runs. A run that would not fit is sorted and spilled as an Arrow IPC file;
at the end the runs are merged in windows: the smallest of the runs' last loaded keys is a cut below which
every run has shown all it has. Keys never repeat, so the order is total and does not depend on how the
input was cut or how much memory there was.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tocsin.sources.admission import TIE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Orderer"]

WINDOW_ROWS: Final = 1 << 16
_NOTHING: Final = pa.table({"time": pa.array([], pa.timestamp("us", tz="UTC")), TIE: pa.array([], pa.int64())})
_MAX_RUN_BYTES: Final = 1 << 30
"""Arrow string columns hold 2 GiB; a sorted copy must stay well below."""


class Orderer:
    """Collects events as they come and gives them back in order, once."""

    def __init__(self, spill: Path, memory_bytes: int) -> None:
        self._spill = spill
        self._memory_bytes = max(1 << 20, memory_bytes)
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._each = self._apart = True
        """Whether each table held is in order, and whether each also lies before or after all the others."""
        self._spans: list[tuple[int, int]] = []
        self._around: tuple[int, int] | None = None
        self._runs: list[Path] = []

    def add(self, table: pa.Table) -> None:
        """Take events whose ties are higher than those of every table added before."""
        if not len(table):
            return
        times = _times(table)
        first, last = int(times[0]), int(times[-1])
        self._each = self._each and bool(np.all(times[1:] >= times[:-1]))
        around = self._around or (first, first)
        self._apart = self._apart and self._each and (first >= around[1] or last < around[0])
        self._around = min(around[0], first), max(around[1], last)
        self._spans.append((first, last))
        self._held.append(table)
        self._held_bytes += table.nbytes
        # What is in order already needs no sorted copy beside it.
        room = self._memory_bytes if self._apart else self._memory_bytes // 2
        if self._held_bytes > min(room, _MAX_RUN_BYTES):
            self._spill_run()

    def windows(self) -> Iterator[pa.Table]:
        """Yield all events in order, in pieces of whatever size falls out, and forget them."""
        last = self._sorted()
        if not self._runs:
            yield from _pieces(last)
            return
        runs = [_Run(_file_pieces(path)) for path in self._runs]
        runs.append(_Run(_pieces(last)))
        try:
            yield from _merged([run for run in runs if run.more()])
        finally:
            self.close()

    def close(self) -> None:
        """Remove what was spilled."""
        for path in self._runs:
            path.unlink(missing_ok=True)
        self._runs.clear()

    def _spill_run(self) -> None:
        table = self._sorted()
        self._spill.mkdir(parents=True, exist_ok=True)
        path = self._spill / f"run-{len(self._runs):05d}.arrow"
        self._runs.append(path)
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=WINDOW_ROWS)

    def _sorted(self) -> pa.Table:
        """Join what is held into one sorted run; ties already rise, so a stable sort by time is enough."""
        held, self._held, self._held_bytes = self._held, [], 0
        spans, self._spans, self._around = self._spans, [], None
        each, self._each, self._apart = self._each, True, True
        if not held:
            return _NOTHING
        if each:
            # Files each in order, as logs mostly are, need only to be put in the order of their first events.
            places = sorted(range(len(held)), key=lambda n: (spans[n][0], n))
            if all((spans[a][1], a) < (spans[b][0], b) for a, b in pairwise(places)):
                return pa.concat_tables([held[n] for n in places], promote_options="default")
        table = pa.concat_tables(held, promote_options="default")
        return table.combine_chunks().take(pa.array(np.argsort(_times(table), kind="stable")))


class _Run:
    """One sorted run being read: what is loaded of it, and where the next pieces come from."""

    def __init__(self, pieces: Iterator[pa.Table]) -> None:
        self._pieces = pieces
        self.loaded: pa.Table | None = None
        self.times = self.ties = np.empty(0, np.int64)

    def more(self) -> bool:
        """Load the next piece when nothing is left; False at the end."""
        while self.loaded is None or not len(self.loaded):
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._load(piece)
        return True

    def take_through(self, time: int, tie: int) -> pa.Table:
        """Take the loaded events up to and including the key."""
        low = int(np.searchsorted(self.times, time, "left"))
        high = int(np.searchsorted(self.times, time, "right"))
        cut = low + int(np.searchsorted(self.ties[low:high], tie, "right"))
        loaded = self.loaded if self.loaded is not None else _NOTHING
        taken, left = loaded.slice(0, cut), loaded.slice(cut)
        self.loaded, self.times, self.ties = left, self.times[cut:], self.ties[cut:]
        return taken

    @property
    def last(self) -> tuple[int, int]:
        return int(self.times[-1]), int(self.ties[-1])

    def _load(self, piece: pa.Table) -> None:
        self.loaded, self.times, self.ties = piece, _times(piece), piece[TIE].to_numpy()


def _merged(runs: list[_Run]) -> Iterator[pa.Table]:
    while runs:
        time, tie = min(run.last for run in runs)
        taken = [part for run in runs if len(part := run.take_through(time, tie))]
        if len(taken) == 1:
            yield taken[0]
        else:
            window = pa.concat_tables(taken, promote_options="default")
            yield window.take(pa.array(np.lexsort((window[TIE].to_numpy(), _times(window)))))
        runs = [run for run in runs if run.more()]


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), WINDOW_ROWS):
        yield table.slice(start, WINDOW_ROWS)


def _file_pieces(path: Path) -> Iterator[pa.Table]:
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for index in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(index)])


def _times(table: pa.Table) -> np.ndarray:
    times: np.ndarray = table["time"].cast(pa.int64()).to_numpy()
    return times
