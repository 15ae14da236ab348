"""Live events between their score and the journal: they wait together and are written as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.engine.traces import score_columns
from tocsin.event import to_batch
from tocsin.store import ScoreColumns

if TYPE_CHECKING:
    from tocsin.behaviour import Observed
    from tocsin.event import Event
    from tocsin.store import Home

__all__ = ["Waiting"]

_MOST: Final = 1_000


class Waiting:
    """Events scored and not yet journaled, with their scores; at most a thousand."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._subjects: list[int] = []
        self._observed: list[Observed] = []

    def __len__(self) -> int:
        return len(self._events)

    @property
    def full(self) -> bool:
        """Whether they should be journaled now."""
        return len(self._events) >= _MOST

    def add(self, event: Event, subject: int, observed: Observed) -> None:
        """Let an event wait, with the keyed hash of its subject and what was said of it."""
        self._events.append(event)
        self._subjects.append(subject)
        self._observed.append(observed)

    def drain(self, home: Home) -> None:
        """Append all to the journal, then their scores."""
        columns = zip(*map(score_columns, self._observed), strict=True)
        kept = ScoreColumns(*(np.concatenate(column) for column in columns))
        first_seq = home.journal.append_events(to_batch(self._events), np.array(self._subjects, np.uint64))
        self._events, self._subjects, self._observed = [], [], []
        home.scores.append(first_seq, *kept)
