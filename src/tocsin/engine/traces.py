"""The scores kept of every event, and what a verdict needs of them later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.store import ScoreColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.behaviour import Observed
    from tocsin.store import Scores

__all__ = ["TRACE_STEPS", "MemoryScores", "joined", "keep_scores", "score_columns", "traces"]

TRACE_STEPS: Final = 8.0
"""Steps in a bit of the calibrated bits kept with every score."""
_TRACE_MOST: Final = 255
_READ_TOGETHER: Final = 64
"""Scores that lie this close, on average, are read in one go."""


class MemoryScores:
    """Scores that a reader makes again: those below `start` lie on disk, the others here."""

    def __init__(self, disk: Scores, start: int) -> None:
        self._disk, self._start = disk, start
        self._held: list[ScoreColumns] = []

    def append(self, columns: ScoreColumns) -> None:
        """Add the scores of the next events."""
        self._held.append(columns)

    def truncate(self, seq: int) -> None:
        """Forget nothing: what is on disk is the writer's."""

    def read(self, start: int, stop: int) -> ScoreColumns:
        """Scores of events `start` to `stop`."""
        parts = [self._disk.read(start, min(stop, self._start))] if start < self._start else []
        if stop > self._start and self._held:
            whole = [np.concatenate(columns) for columns in zip(*self._held, strict=True)]
            self._held = [ScoreColumns(*whole)]
            parts.append(ScoreColumns(*(c[max(start - self._start, 0) : stop - self._start] for c in whole)))
        return ScoreColumns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def joined(observed: Sequence[Observed]) -> Observed:
    """Put together what was said of events one by one, as far as scores are made of it."""
    first = observed[0]
    out = first.out._replace(
        **{name: np.concatenate([getattr(o.out, name) for o in observed]) for name in ("x", "surprise", "tail")}
    )
    columns = {
        name: np.concatenate([getattr(o, name) for o in observed]) for name in ("accumulated", "alert_seq", "late")
    }
    return first._replace(out=out, **columns)


def score_columns(observed: Observed) -> ScoreColumns:
    """Take from what the model said what is kept."""
    trace = np.minimum(observed.out.x * TRACE_STEPS, _TRACE_MOST).astype(np.uint8)
    return ScoreColumns(
        observed.out.surprise.astype(np.float32),
        observed.out.tail.astype(np.float32),
        observed.accumulated,
        observed.alert_seq >= 0,
        observed.late,
        trace,
    )


def keep_scores(scores: Scores | MemoryScores, observed: Observed, first_seq: int) -> None:
    """Keep the scores of a batch."""
    columns = score_columns(observed)
    if isinstance(scores, MemoryScores):
        scores.append(columns)
    else:
        scores.append(first_seq, *columns)


def traces(scores: Scores | MemoryScores, seqs: NDArray[np.int64]) -> ScoreColumns:
    """Scores of events `seqs`, which are sorted."""
    first, last = int(seqs[0]), int(seqs[-1]) + 1
    if last - first <= _READ_TOGETHER * len(seqs):
        run = scores.read(first, last)
        return ScoreColumns._make(column[seqs - first] for column in run)
    rows = [scores.read(int(seq), int(seq) + 1) for seq in seqs]
    return ScoreColumns._make(np.concatenate(columns) for columns in zip(*rows, strict=True))
